"""Load the split that a run was scored on again, with the same truth file if there was one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import DataError
from ..io.hashes import sha256_of


def scored_split(header: Mapping[str, Any], run: Path, data_root: str | Path | None = None) -> Split:
    """The split that a run's header names; the caller must check that it is the same copy.

    Args:
        header: the run's.
        run: its folder, for the message.
        data_root: where the split lies; by default where the run found it.

    Raises:
        DataError: the split is not there, or the truth file is gone or was changed.
    """
    split = load_split(header["split"]["name"], data_root if data_root is not None else header["data_root"])
    truth = header.get("truth")
    if truth is None:
        return split
    places = [Path(part["truth"]) for part in reversed(header.get("provenance", ())) if part.get("truth")]
    beside = split.data_root / Path(truth["file"]).name
    for place in dict.fromkeys([*places, beside]):
        if place.is_file() and sha256_of(place) == truth["sha256"]:
            return split.with_truth(place, truth["only"])
    where = places[0] if places else beside
    raise DataError(
        f"{run}: scored with the truth of {truth['file']} (SHA-256 {truth['sha256'][:12]}…), which is no longer at "
        f"{where}, or was changed: put it back there or into the data root"
    )
