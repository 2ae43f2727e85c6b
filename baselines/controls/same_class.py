"""The annotated objects of a sample's class in its image, for the controls that read the annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from risbench import Sample, load_split


class ClassObjects:
    """Finds objects of a split by sample; the split is loaded at the first call."""

    def __init__(self, split: str, data_root: Path) -> None:
        self._name, self._root = split, data_root
        self._split: Any = None

    def like(self, sample: Sample) -> list[Any]:
        """The objects of the sample's class in its image, the target included, in the annotation's order."""
        if self._split is None:
            self._split = load_split(self._name, self._root)
        return [item for item in self._split.objects(sample.image_id) if item.category == sample.category]
