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
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from ...datasets.annotations.sample_places import SamplePlaces
from ...datasets.annotations.sampleids import SampleIds
from ...datasets.split import Split
from ...errors import DataError, MaskError, UsageError
from ...masks import box_of, decode, encode, size_of, union_of
from ...records import Box, Sample
from ..jsonlines import encoded
from ..scored import refuse_other_split, scored_split
from .wholefiles import whole_files

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
    ids, ious = _ious_of(runs)
    split = scored_split(runs[0].about, runs[0].path, data_root)
    for run in runs:
        refuse_other_split(run, split)
    row_of = SampleIds.of(split.each_id()).places_in(ids)
    places = np.flatnonzero(row_of >= 0)
    if len(places) < len(ids):
        known = np.isin(np.arange(len(ids)), row_of)
        raise DataError(f"{runs[0].path}: its row {ids[int(np.argmin(known))]} is not in {split.name}")
    numbers = _Ids.of(split, places)
    names = [LABELS, *(f"predictions-{name}.json" for name in _names(runs))]
    # Files take their places when all are written, so an export is written whole or not at all.
    with whole_files([out / name for name in names]) as (labels, *predictions):
        labels.write(encoded(json.dumps(numbers.data_set(split), ensure_ascii=False)[:-1] + ', "annotations": '))
        made = (numbers.truth(split[at], number) for number, at in enumerate(places.tolist(), 1))
        count = _write_items(labels, (one for one in made if one))
        labels.write(b"}\n")
        counts = []
        for run, iou, file in zip(runs, ious, predictions, strict=True):
            counts.append(_write_items(file, numbers.results(run, split, row_of, iou)))
            file.write(b"\n")
    empty = tuple(len(places) - found for found in counts)
    return CocoFiles(out / LABELS, tuple(out / name for name in names[1:]), len(places) - count, empty)


def _ious_of(runs: Sequence[Run]) -> tuple[SampleIds, list[np.ndarray]]:
    """The ids of the runs' rows, and each run's IoU of them.

    Raises:
        UsageError: the runs are of different expressions.
    """
    first = runs[0].columns().once()
    ious = [first.iou]
    for run in runs[1:]:
        other = run.columns().once()
        places = first.ids.places_in(other.ids)
        if len(other) != len(first) or (places < 0).any() or run.about.truth != runs[0].about.truth:
            raise UsageError(f"{runs[0].path} and {run.path} are of different expressions or truths: export each alone")
        ious.append(other.iou[places])
    return first.ids, ious


def _write_items(file: BinaryIO, items: Iterable[Mapping[str, Any]]) -> int:
    """Write a list in JSON; returns how many items it has."""
    count = 0
    file.write(b"[")
    for count, item in enumerate(items, 1):
        file.write(encoded((", " if count > 1 else "") + json.dumps(item, ensure_ascii=False)))
    file.write(b"]")
    return count


class _Image(NamedTuple):
    image_path: Path
    size: tuple[int, int]


class _Ids:
    """The ids of images and categories, which all files of an export share."""

    def __init__(self, images: Mapping[int | str, _Image], categories: Iterable[str | None]) -> None:
        self._images = images
        own = all(type(ident) is int for ident in images)
        self._image_ids = {ident: ident if own else number for number, ident in enumerate(images, 1)}
        names = sorted({category or _UNNAMED for category in categories})
        self._categories = {name: number for number, name in enumerate(names, 1)}

    @classmethod
    def of(cls, split: Split, places: np.ndarray) -> _Ids:
        """Of the samples at some places of a split."""
        table, anns = split.table, split.sample_anns[places]
        rows = split.sample_images[places]
        rows = rows[np.sort(np.unique(rows, return_index=True)[1])]  # in the order of their first samples
        images = {
            table.image_id[row]: _Image(split.image_files.find(table.image_file[row]), table.size(row))
            for row in rows.tolist()
        }
        codes = np.unique(table.ann_category.code[anns[anns >= 0]]).tolist()
        categories = [None if code < 0 else table.ann_category.texts[code] for code in codes]
        return cls(images, [*categories, *([None] if (anns < 0).any() else [])])

    def data_set(self, split: Split) -> dict[str, Any]:
        """``labels.json`` without its annotations."""
        images = [
            {
                "id": self._image_ids[ident],
                "file_name": str(image.image_path.absolute()),
                "height": image.size[0],
                "width": image.size[1],
                **({} if self._image_ids[ident] == ident else {"image_id": ident}),
            }
            for ident, image in self._images.items()
        ]
        about = (
            f"{split.name} by risbench: one annotation for each expression; masks are unions of an annotation's parts"
        )
        return {
            "info": {"description": about},
            "licenses": [],
            "images": images,
            "categories": [{"id": number, "name": name} for name, number in self._categories.items()],
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

    def results(self, run: Run, split: Split, row_of: np.ndarray, iou: np.ndarray) -> Iterator[dict[str, Any]]:
        """The results of a run: one for each mask that has a pixel.

        Args:
            run: the run.
            split: its split.
            row_of: the row of each sample of the split, -1 for none.
            iou: of each row; NaN without a true mask.
        """
        number, table = 0, split.table
        known = SamplePlaces(split.name, table.ref_id, table.sent_id, split.sample_refs, split.rows)
        for ident, line in run.masks():
            at = known.find(ident)
            if at is None or row_of[at] < 0:
                raise DataError(f"{run.path}: its mask of {ident} has no row")
            sample = _without_truth(split, at, ident)
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
                number += 1
                own = float(iou[row_of[at]])
                more = {"score": 1.0} if math.isnan(own) else {"score": 1.0, "iou": own}
                yield self._entry(sample, number, mask) | more

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


def _without_truth(split: Split, at: int, ident: str) -> Sample:
    """A sample of the split without its mask and box, which take longer to make than all else of it."""
    table, row, ref = split.table, int(split.rows[at]), int(split.sample_refs[at])
    image, ann = int(table.ref_image[ref]), int(table.ref_ann[ref])
    return Sample(
        id=ident,
        image_id=table.image_id[image],
        ref_id=table.ref_id[ref],
        sent_id=table.sent_id[row],
        image_path=Path(),
        size=table.size(image),
        text=table.sent_text[row],
        box=None,
        parts=(),
        category=table.ann_category[ann] if ann >= 0 else None,
        tags={},
    )


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
