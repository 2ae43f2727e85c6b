"""Runs as files in COCO's form, which FiftyOne and pycocotools load: the truth as a data set, and each run's masks.

``labels.json`` is a data set: images with their absolute paths, categories, and one annotation for each expression, so
an object with three expressions has three. ``predictions-NAME.json`` is a list of COCO results with the same image and
category ids. Both carry the expression (``text``) and its ids, a result also its ``iou`` by the rules of the run.

A mask is COCO's run-length code; a true mask is the union of the annotation's parts. A ``bbox`` is the x, y, width and
height of the box round the mask, because FiftyOne cuts masks to their boxes. ``score`` is 1, since methods give none.

What has no pixels has no box: predictions with an empty mask, and expressions without a target, are left out and
counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.split import Split
from ...errors import DataError, MaskError, UsageError
from ...masks import box_of, decode, encode, size_of, union_of
from ...records import Box, Sample
from ..jsonlines import replace
from ..scored import refuse_other_split, scored_split

if TYPE_CHECKING:
    from ..run import Run

LABELS = "labels.json"
_UNNAMED = "object"  # the category of an object whose annotation names none


@dataclass(frozen=True, slots=True)
class CocoFiles:
    """What was written.

    Attributes:
        labels: the data set with the truth.
        predictions: the file of each run, in their order.
        without_target: expressions that have neither a true mask nor a true box, and so no annotation.
        empty: each run's empty masks, which are not in its file.
    """

    labels: Path
    predictions: tuple[Path, ...]
    without_target: int
    empty: tuple[int, ...]


def write_coco(runs: Sequence[Run], out: Path, data_root: str | Path | None = None) -> CocoFiles:
    """Write some runs of one split, and their truth, into a folder; files of the same names are replaced.

    Args:
        runs: of the same expressions.
        out: the folder.
        data_root: where the split lies; by default where the first run found it.

    Raises:
        UsageError: there is no run, or the runs are of different expressions.
        DataError: the split is not at hand, or a run's masks are broken or not of the images' sizes.
    """
    if not runs:
        raise UsageError("an export is of runs: give one or more run folders")
    rows = [{row.id: row for row in run.rows()} for run in runs]
    for run, other in zip(runs[1:], rows[1:], strict=True):
        if other.keys() != rows[0].keys() or run.about.truth != runs[0].about.truth:
            raise UsageError(f"{runs[0].path} and {run.path} are of different expressions or truths: export each alone")
    split = scored_split(runs[0].about, runs[0].path, data_root)
    for run in runs:
        refuse_other_split(run, split)
    samples = {ident: split[at] for at, ident in enumerate(split.ids) if ident in rows[0]}
    if len(samples) < len(rows[0]):
        unknown = next(ident for ident in rows[0] if ident not in samples)
        raise DataError(f"{runs[0].path}: its row {unknown} is not in {split.name}")
    ids = _Ids(list(samples.values()))
    annotations = [made for number, one in enumerate(samples.values(), 1) if (made := ids.truth(one, number))]
    results = [ids.results(run, samples, scored) for run, scored in zip(runs, rows, strict=True)]
    # Everything was read and checked, so an export is written whole or not at all.
    replace(out / LABELS, _text(ids.data_set(split, annotations)))
    places = [out / f"predictions-{name}.json" for name in _names(runs)]
    for place, found in zip(places, results, strict=True):
        replace(place, _text(found))
    empty = tuple(len(samples) - len(found) for found in results)
    return CocoFiles(out / LABELS, tuple(places), len(samples) - len(annotations), empty)


class _Ids:
    """The ids of images and categories, which all files of an export share."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._images = {sample.image_id: sample for sample in samples}
        own = all(type(ident) is int for ident in self._images)
        self._image_ids = {ident: ident if own else number for number, ident in enumerate(self._images, 1)}
        names = sorted({sample.category or _UNNAMED for sample in samples})
        self._categories = {name: number for number, name in enumerate(names, 1)}

    def data_set(self, split: Split, annotations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The whole of ``labels.json``."""
        images = [
            {
                "id": self._image_ids[ident],
                "file_name": str(sample.image_path.absolute()),
                "height": sample.size[0],
                "width": sample.size[1],
                **({} if self._image_ids[ident] == ident else {"image_id": ident}),
            }
            for ident, sample in self._images.items()
        ]
        about = (
            f"{split.name} by risbench: one annotation for each expression; masks are unions of an annotation's parts"
        )
        return {
            "info": {"description": about},
            "licenses": [],
            "images": images,
            "categories": [{"id": number, "name": name} for name, number in self._categories.items()],
            "annotations": list(annotations),
        }

    def truth(self, sample: Sample, number: int) -> dict[str, Any] | None:
        """The annotation of an expression; None without a target."""
        mask = union_of(sample.parts, sample.size) if sample.parts else None
        if mask is not None and mask.any():
            return self._entry(sample, number, mask)
        if sample.box is None:
            return None
        box = sample.box
        return {**self._about(sample, number), "bbox": _x_y_w_h(box), "area": box.area, "iscrowd": 0}

    def results(self, run: Run, samples: Mapping[str, Sample], rows: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The results of a run: one for each mask that has a pixel."""
        found = []
        for ident, line in run.masks():
            if (sample := samples.get(ident)) is None:
                raise DataError(f"{run.path}: its mask of {ident} has no row")
            try:
                code = line["segmentation"]
                if size_of(code) != sample.size:
                    height, width = size_of(code)
                    raise MaskError(
                        f"is {height}x{width}, the image is {sample.size[0]}x{sample.size[1]}: score the run again "
                        "under rules that count at the image's size, from its saved heats"
                    )
                mask = decode(code)
            except (MaskError, KeyError) as error:
                raise DataError(f"{run.path}: the mask of {ident} {error}") from None
            if mask.any():
                iou = rows[ident].iou
                more = {"score": 1.0} if iou is None else {"score": 1.0, "iou": iou}
                found.append(self._entry(sample, len(found) + 1, mask) | more)
        return found

    def _entry(self, sample: Sample, number: int, mask: np.ndarray) -> dict[str, Any]:
        box = box_of(mask)
        assert box is not None  # the mask has a pixel
        area = int(np.count_nonzero(mask))
        about = self._about(sample, number)
        return {**about, "bbox": _x_y_w_h(box), "area": area, "segmentation": encode(mask), "iscrowd": 0}

    def _about(self, sample: Sample, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "image_id": self._image_ids[sample.image_id],
            "category_id": self._categories[sample.category or _UNNAMED],
            "text": sample.text,
            "sample_id": sample.id,
            "ref_id": sample.ref_id,
            "sent_id": sample.sent_id,
        }


def _x_y_w_h(box: Box) -> list[float]:
    return [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]


def _names(runs: Sequence[Run]) -> list[str]:
    """A name for each run's file: its method's, with a number where methods repeat."""
    found: list[str] = []
    for run in runs:
        plain = re.sub(r"[^\w+@=,().-]", "_", run.summary["method"])[:80].strip(".") or "run"
        name, number = plain, 2
        while name.casefold() in (one.casefold() for one in found):
            name, number = f"{plain}-{number}", number + 1
        found.append(name)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
