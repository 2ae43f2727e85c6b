"""What an import did: files taken and refused, images, notes, and the splits that the data root now has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .placing import How
from .state import SplitState

_PLACED: tuple[How, ...] = ("linked", "copied", "there")


class TakenFile(NamedTuple):
    """An annotation file that is now in the data root: its place below it, where it is from, what was done."""

    place: str
    source: str
    how: How


class RefusedFile(NamedTuple):
    """Something that was recognised, or stood in the way, and was not taken; with the reason."""

    name: str
    reason: str


@dataclass(slots=True)
class Imported:
    """What an import did.

    Attributes:
        source: the user's copy.
        data_root: where it went.
        annotations: the files taken.
        images: for each folder of images, how many files were linked, copied, there already, or not needed.
        refused: what was not taken.
        notes: what must be known of the copy: of ids and masks that are not REFER's own.
        splits: the splits that the data root now has, whole or begun.
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
        """Whether nothing of the copy is in the data root."""
        return not self.annotations and not any(done[how] for done in self.images.values() for how in _PLACED)
