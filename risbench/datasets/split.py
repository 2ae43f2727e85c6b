"""A split: its samples in the annotation's order, created when they are used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..errors import DataError, MaskError, UsageError
from ..records import RLE, Box, Sample
from .annotations.columns import Ident
from .annotations.index import SourceFile
from .annotations.sample_places import SamplePlaces, ids_of
from .annotations.table import AnnotationTable
from .choose import Selection, containing, html_form, of_images, short_form, sliced
from .entry import Counts, Entry
from .layout import ImageFiles
from .truth import OtherTruth, with_truth

# The last drawn masks and found files are cached: a ref's sentences are consecutive, and by_image takes few at a time.
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Object:
    """One annotated object of an image, whether or not an expression refers to it."""

    ann_id: Ident
    category: str | None
    box: Box | None
    parts: tuple[RLE, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The samples of one split; iterable, with a length, and read-only. ``split[:10]`` is a partial split.

    Attributes:
        entry: its entry in the catalog.
        table: the content of its annotation files.
        rows: int64 ``(n,)``, the sentence rows of its samples.
        ref_rows: int64, the rows of its refs, also of those without a sentence.
        sources: the files that were read, with their SHA-256.
        data_root: the data root of these files (for drawn scenes, the cache).
        image_files: finds its image files.
        counts: the number of its images, refs and expressions.
        partial: whether it differs from the split in the literature: its counts are not the expected ones, or it was
            limited. Complete drawn splits are never partial.
        truth: the file of other masks, or None; see `with_truth`.
        selection: which samples were chosen by a slice, `find`, `first_images` or `shard`; None for all.
    """

    entry: Entry
    table: AnnotationTable
    rows: np.ndarray
    ref_rows: np.ndarray
    sources: tuple[SourceFile, ...]
    data_root: Path
    image_files: ImageFiles
    counts: Counts
    partial: bool
    truth: OtherTruth | None = None
    selection: Selection | None = None

    find, _repr_html_ = containing, html_form

    def __repr__(self) -> str:
        return short_form(self)

    @property
    def name(self) -> str:
        """The canonical name."""
        return self.entry.name

    @property
    def expected(self) -> Counts:
        """The counts in the literature; None if unconfirmed."""
        return self.entry.expected

    @property
    def image_folder(self) -> Path:
        """The folder with most of its images."""
        return self.image_files.folders[0]

    @cached_property
    def images(self) -> tuple[Ident, ...]:
        """The ids of its images, in the order of their first sample."""
        return tuple(self.table.image_id[row] for row in self._groups[0].tolist())

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of its samples, in order."""
        return tuple(self.each_id())

    def each_id(self) -> Iterator[str]:
        """The ids of its samples, in order, one after the other."""
        return ids_of(self.name, self.table.ref_id, self.table.sent_id, self._refs, self.rows)

    def __getstate__(self) -> dict[str, Any]:
        # Caches are not sent to other processes.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[at] for at in range(len(self)))

    @overload
    def __getitem__(self, at: slice) -> Split: ...
    @overload
    def __getitem__(self, at: int) -> Sample: ...

    def __getitem__(self, at: int | slice) -> Sample | Split:
        if isinstance(at, slice):
            return sliced(self, at)
        table, row, ref = self.table, int(self.rows[at]), int(self._refs[at])
        image, ann = int(table.ref_image[ref]), int(table.ref_ann[ref])
        ref_id, sent_id = table.ref_id[ref], table.sent_id[row]
        target = self._object(ann) if ann >= 0 else None
        return Sample(
            id=f"{self.name}/{ref_id}/{sent_id}",
            image_id=table.image_id[image],
            ref_id=ref_id,
            sent_id=sent_id,
            image_path=self._image_path(image),
            size=table.size(image),
            text=table.sent_text[row],
            box=target.box if target else None,
            parts=target.parts if target else (),
            category=target.category if target else None,
            tags=self._tags(row),
        )

    def sample(self, ident: str) -> Sample:
        """The sample with an id.

        Raises:
            UsageError: the split has no sample with this id.
        """
        if (at := self._places.find(ident)) is None:
            raise UsageError(f"{self.name} has no sample {ident!r:.80}; an id is '{self.name}/<ref_id>/<sent_id>'")
        return self[at]

    def by_image(self) -> Iterator[tuple[Sample, ...]]:
        """The samples grouped by image: images in the order of their first sample, samples in the split's order."""
        return (tuple(self[at] for at in places) for places in self.places_by_image())

    def places_by_image(self) -> Iterator[list[int]]:
        """The places in the split of the samples that `by_image` gives."""
        _, starts, order = self._groups
        return (order[first:last].tolist() for first, last in pairwise(starts.tolist()))

    def objects(self, image_id: Ident) -> tuple[Object, ...]:
        """All annotated objects of an image in the whole data set, in file order.

        Raises:
            UsageError: the data set has no such image.
        """
        if image_id not in self._image_rows:
            raise UsageError(f"{self.name}: the data set has no image {image_id!r:.40}")
        image, (order, sorted_images) = self._image_rows[image_id], self._anns_by_image
        first, last = np.searchsorted(sorted_images, [image, image + 1]).tolist()
        return tuple(self._object(ann) for ann in order[first:last].tolist())

    def first_images(self, count: int) -> Split:
        """The samples of the first ``count`` images; partial, unless these are all images."""
        if count < 0:
            raise UsageError(f"cannot take the first {count} images; give 0 or more")
        limited = of_images(self, np.arange(len(self._groups[0])) < count, f".first_images({count})")
        return replace(limited, partial=self.partial or len(limited) < len(self))

    def shard(self, index: int, count: int) -> Split:
        """The samples of every ``count``-th image, starting from image ``index`` (0 to ``count - 1``).

        The shards of a split are disjoint, and together they are the split. So a shard is only partial if the split is.
        """
        if not 0 <= index < count:
            raise UsageError(f"there is no shard {index} of {count}; the first is 0, the last {count - 1}")
        return of_images(self, np.arange(len(self._groups[0])) % count == index, f".shard({index}, {count})")

    def with_truth(self, path: str | Path, only: bool = False) -> Split:
        """The split with masks from another file; see `risbench.datasets.truth` for its form.

        Args:
            path: the file.
            only: leave out samples without a mask in the file; otherwise they keep their annotated masks.

        Raises:
            DataError: the file is missing or broken, or an entry cannot be used; the first few are named.
        """
        return with_truth(self, Path(path), only)

    @property
    def without_mask(self) -> int:
        """The number of its samples without a true mask: there is no target, or only a box is annotated."""
        outlines, anns = self.table.outlines, self.sample_anns
        has = (np.diff(outlines.polygons) + np.diff(outlines.codes)) > 0
        if self.truth is not None:
            has[list(self.truth.masks)] = True
        return int(np.count_nonzero(~np.append(has, False)[anns]))

    @property
    def sample_anns(self) -> np.ndarray:
        """The annotation row of each sample: int32 ``(n,)``, -1 if there is no target."""
        return self.table.ref_ann[self._refs]

    @property
    def sample_images(self) -> np.ndarray:
        """The image row of each sample: int32 ``(n,)``."""
        return self.table.ref_image[self._refs]

    @property
    def sample_refs(self) -> np.ndarray:
        """The ref row of each sample: int64 ``(n,)``."""
        return self._refs

    @cached_property
    def _refs(self) -> np.ndarray:
        """The ref row of each sample."""
        return np.searchsorted(self.table.ref_sentences, self.rows, side="right") - 1

    @cached_property
    def _groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image rows by first appearance, the start of each image's samples in the order, and the order of samples."""
        images, count = self.sample_images, len(self)
        first, place = np.full((2, len(self.table.image_id)), count)
        first[images[::-1]] = np.arange(count)[::-1]  # of several assignments to one image the last one stays
        rows = np.argsort(first, kind="stable")[: np.count_nonzero(first < count)]
        place[rows] = np.arange(len(rows))
        starts = np.concatenate(([0], np.cumsum(np.bincount(images, minlength=len(first))[rows])))
        return rows, starts, np.argsort(place[images], kind="stable")

    @cached_property
    def _places(self) -> SamplePlaces:
        return SamplePlaces(self.name, self.table.ref_id, self.table.sent_id, self._refs, self.rows)

    @cached_property
    def _image_rows(self) -> dict[Ident, int]:
        return {ident: row for row, ident in enumerate(self.table.image_id.listed())}

    @cached_property
    def _anns_by_image(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.table.ann_image, kind="stable")
        return order, self.table.ann_image[order]

    @cached_property
    def _drawn(self) -> dict[int, Object]:
        return {}

    @cached_property
    def _found(self) -> dict[int, Path]:
        return {}

    @cached_property
    def _known_tags(self) -> dict[int, Mapping[str, Any]]:
        return {-1: {}}

    def _object(self, ann: int) -> Object:
        if (found := self._drawn.get(ann)) is not None:
            return found
        table = self.table
        if self.truth is not None and ann in self.truth.masks:
            parts, box = self.truth.masks[ann]
        else:
            try:
                parts = table.outlines.parts(ann, table.size(int(table.ann_image[ann])))
            except MaskError as error:
                raise DataError(f"{self.sources[-1].path}: annotation {table.ann_id[ann]!r}: {error}") from None
            corners = table.ann_box[ann].tolist()
            box = None if corners[0] != corners[0] else Box(*corners)
            if box is not None and (box.x1 < box.x0 or box.y1 < box.y0):
                raise DataError(
                    f"{self.sources[-1].path}: annotation {table.ann_id[ann]!r}: its box has a negative width or "
                    "height, so no prediction could match it; correct the file, or get it again"
                )
        found = Object(table.ann_id[ann], table.ann_category[ann], box, parts)
        if len(self._drawn) >= _KEPT:
            self._drawn.clear()
        self._drawn[ann] = found
        return found

    def _image_path(self, image: int) -> Path:
        if (found := self._found.get(image)) is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[image] = self.image_files.find(self.table.image_file[image])
        return found

    def _tags(self, row: int) -> Mapping[str, Any]:
        code = int(self.table.sent_tags.code[row])
        if code not in self._known_tags:
            self._known_tags[code] = json.loads(self.table.sent_tags.texts[code])
        return self._known_tags[code]
