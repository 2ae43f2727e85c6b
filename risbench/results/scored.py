"""The split of a run: its record in the header, and the split loaded again from that record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.choose import annotated, with_ids
from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import DataError, UsageError
from ..io.hashes import sha256_of
from .header import CountsRecord, Header, SourceRecord, SplitRecord, TruthRecord
from .jsonrecord import from_json

if TYPE_CHECKING:
    from .run import Run


def split_record(split: Split) -> SplitRecord:
    """The record of a split as annotated: counts, and the names and hashes of its files."""
    split = annotated(split)
    return SplitRecord(
        name=split.name,
        counts=CountsRecord(**split.counts._asdict()),
        expected=CountsRecord(**split.expected._asdict()),
        partial=split.partial,
        sources=tuple(
            SourceRecord(file=path.name, folder=path.parent.name, sha256=digest) for path, digest in split.sources
        ),
    )


def truth_record(split: Split) -> TruthRecord | None:
    """The record of the file of other masks; None for the annotated masks."""
    return None if split.truth is None else from_json(TruthRecord, split.truth.record())


def refuse_other_split(run: Run, split: Split) -> None:
    """Refuse a split that is not the run's split; the truth may differ.

    Raises:
        UsageError: the split is another one, or another copy.
    """
    found = run.about.split
    if found != split_record(split):
        raise UsageError(f"{run.path} was run on {found.name}, or on another copy of {split.name}")


def part_of(run: Run, split: Split) -> Split:
    """The part of a split that a run covers, by its choice of samples or its limit."""
    if (chosen := run.about.chosen) is not None:
        split = with_ids(split, set(run.columns().ids), chosen)
    limit = run.about.limit
    return split if limit is None else split.first_images(limit)


def scored_split(header: Header, run: Path, data_root: str | Path | None = None) -> Split:
    """The split that a run's header names; the caller must check that it is the same copy.

    Args:
        header: the run's header.
        run: its folder, for the message.
        data_root: the folder of the split; by default the run's data root.

    Raises:
        DataError: the split is missing, or the truth file is missing or was changed.
    """
    split = load_split(header.split.name, data_root if data_root is not None else header.data_root)
    truth = header.truth
    if truth is None:
        return split
    places = [Path(part.truth) for part in reversed(header.provenance) if part.truth]
    beside = split.data_root / Path(truth.file).name
    for place in dict.fromkeys([*places, beside]):
        if place.is_file() and sha256_of(place) == truth.sha256:
            return split.with_truth(place, truth.only)
    where = places[0] if places else beside
    raise DataError(
        f"{run}: scored with the truth of {truth.file} (SHA-256 {truth.sha256[:12]}…), which is no longer at "
        f"{where}, or was changed: put it back there or into the data root"
    )
