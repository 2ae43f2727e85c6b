"""The result of an import: imported and refused files, images, notes, and the splits of the data root."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .placing import How
from .state import SplitState

_PLACED: tuple[How, ...] = ("linked", "copied", "there")


class TakenFile(NamedTuple):
    """An imported annotation file: its path below the data root, its source, and what was done."""

    place: str
    source: str
    how: How


class RefusedFile(NamedTuple):
    """A file that was recognised but not imported, or that blocked the import, with the reason."""

    name: str
    reason: str


@dataclass(slots=True)
class Imported:
    """The result of an import.

    Attributes:
        source: the user's copy.
        data_root: the target.
        annotations: the imported files.
        images: for each folder of images, the number of files that were linked, copied, existed already, or were not
            needed.
        refused: the files that were not imported.
        notes: facts about the copy that users must know, such as ids and masks that are not REFER's own.
        splits: the splits of the data root, complete or partial.
    """

    source: Path
    data_root: Path
    annotations: list[TakenFile] = field(default_factory=list)
    images: dict[str, Counter[str]] = field(default_factory=dict)
    refused: list[RefusedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    splits: list[SplitState] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether no file of the copy is in the data root."""
        return not self.annotations and not any(done[how] for done in self.images.values() for how in _PLACED)
