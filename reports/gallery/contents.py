"""The data of the page: a block for each image, and the overview of all expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from risbench import Sample, Split
from risbench.masks import LazyMask
from risbench.results.rows import Row
from risbench.statistics.failures import OUTCOMES

from ..about import area_of
from .answers import small_heats_of
from .thumbnails import Thumbnails

SCHEMA = 1
_AHEAD = 64  # images whose thumbnails are made together: enough for all cores, few enough for memory


class Contents:
    """The expressions that all runs have, image by image.

    Attributes:
        images: id, height and width of each image written so far.
        samples: the overview's data of each expression, by its index in the split's order.
    """

    def __init__(
        self,
        split: Split,
        rows: Sequence[Mapping[str, Row]],
        answers: Sequence[Mapping[str, dict[str, Any]]],
        folders: Sequence[Path],
        outcomes: Sequence[Mapping[str, str]],
    ) -> None:
        """Take each run's rows, answers and outcomes by sample id, and its folder for the heats."""
        self._split, self._rows, self._answers, self._folders = split, rows, answers, folders
        self._outcomes = outcomes
        self._place = {name: at for at, name in enumerate(name for name in split.ids if name in rows[0])}
        self.images: list[list[Any]] = []
        self.samples: dict[int, dict[str, Any]] = {}
        self.heated = [False] * len(rows)

    def blocks(self, pictures: Thumbnails) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each image's number and block; after the last one, the overview is complete."""
        kept = ([one for one in group if one.id in self._place] for group in self._split.by_image())
        groups = (group for group in kept if group)
        while ahead := list(islice(groups, _AHEAD)):
            made = pictures.of([(group[0].image_path, group[0].size) for group in ahead])
            for group, picture in zip(ahead, made, strict=True):
                number = len(self.images)
                self.images.append([group[0].image_id, *group[0].size])
                yield number, {"picture": picture, **self._block(number, group)}

    def _block(self, number: int, group: Sequence[Sample]) -> dict[str, Any]:
        truths: dict[tuple[Any, ...], int] = {}
        block: dict[str, Any] = {"truths": [], "samples": {}}
        hot = [small_heats_of(folder, group[0].image_id) for folder in self._folders]
        for sample in group:
            # The expressions about one object share its mask and box.
            truth = truths.setdefault((sample.box, *(part["counts"] for part in sample.parts)), len(truths))
            if truth == len(block["truths"]):
                block["truths"].append(_truth(sample))
            found = []
            for turn, answers in enumerate(self._answers):
                answer = dict(answers[sample.id])
                if answer["size"] == list(sample.size):
                    del answer["size"]
                if heat := hot[turn].get(sample.id):
                    answer["heat"] = heat
                    self.heated[turn] = True
                found.append(answer)
            place = self._place[sample.id]
            block["samples"][place] = {"truth": truth, "answers": found}
            self.samples[place] = self._line(sample, number, block["truths"][truth]["area"])
        return block

    def _line(self, sample: Sample, number: int, area: int) -> dict[str, Any]:
        scores = [
            [*_scores(rows[sample.id]), outcomes.get(sample.id)]
            for rows, outcomes in zip(self._rows, self._outcomes, strict=True)
        ]
        line = {"id": sample.id, "image": number, "text": sample.text, "area": area, "scores": scores}
        if sample.category is not None:
            line["category"] = sample.category
        if "form" in sample.tags:
            line["form"] = sample.tags["form"]
        return line


@dataclass(frozen=True, slots=True)
class Overview:
    """The data at the top of the page."""

    split: str
    titles: Sequence[str]
    numbers: Sequence[Mapping[str, dict[str, Any]]]
    notes: Sequence[str]

    def record(self, contents: Contents) -> dict[str, Any]:
        """The overview in the form that the script reads."""
        runs = zip(self.titles, self.numbers, contents.heated, strict=True)
        return {
            "schema": SCHEMA,
            "split": self.split,
            "notes": list(self.notes),
            "runs": [{"title": title, "metrics": numbers, "heats": heated} for title, numbers, heated in runs],
            "outcomes": dict(OUTCOMES),
            "images": contents.images,
            "samples": [contents.samples[place] for place in sorted(contents.samples)],
        }


def _truth(sample: Sample) -> dict[str, Any]:
    """Code, pixels and box of the object."""
    box = None if sample.box is None else [round(float(value), 1) for value in sample.box]
    code = sample.parts[0] if len(sample.parts) == 1 else LazyMask.of_parts(sample.parts, sample.size).code
    return {"counts": code["counts"], "area": area_of(sample), "box": box}


def _scores(row: Row) -> list[Any]:
    """Intersection, union, point in the box, point on the mask, IoU of boxes, missing; null where there is none."""
    box_iou = None if row.box_iou is None else round(row.box_iou, 4)
    return [row.intersection, row.union, row.hit_box, row.hit_mask, box_iou, row.missing]
