"""The masks of a run, each read from its file when it is needed: a million of them are a gigabyte of codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.annotations.sampleids import SampleIds
from ...errors import DataError
from ...io import reading
from ...io.indexedlines import IndexedLines
from ..folder import MASKS
from ..jsonlines import object_in
from ..run import Run


class StoredMasks:
    """The run-length codes of some expressions of a run.

    Args:
        run: the run.
        ids: the expressions; the n-th code is that of the n-th.

    Raises:
        DataError: a line is broken, or there are more or fewer than the summary counts.
    """

    def __init__(self, run: Run, ids: SampleIds) -> None:
        path = run.path / MASKS
        self._lines = IndexedLines(reading.open_lines(path))
        found = SampleIds.of(self._named(path))
        run.refuse_other_count(MASKS, len(found))
        kept = found.once()
        places = ids.places_in(found.take(kept))
        self._places = np.append(kept, -1)[places]  # -1 stays -1

    def _named(self, path: Path) -> Iterator[str]:
        """The id of each line, whose place is noted."""
        for number, raw in self._lines.noted(reading.lines_of(path)):
            ident = object_in(raw, path, number).get("id")
            if not isinstance(ident, str):
                raise DataError(f"{path}, line {number}: no 'id'")
            yield ident

    def __getitem__(self, place: int) -> Any:
        """The code of an expression.

        Raises:
            KeyError: the run has no mask of it.
        """
        line = int(self._places[place])
        if line < 0:
            raise KeyError(place)
        return json.loads(self._lines[line]).get("segmentation")
