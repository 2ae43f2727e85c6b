"""The annotated objects of a sample's class in its image, for the controls that read the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from risbench import Sample, load_split


class ClassObjects:
    """All objects of a split's images, looked up by sample; the split is loaded on the first question."""

    def __init__(self, split: str, data_root: Path) -> None:
        self._name, self._root = split, data_root
        self._split: Any = None

    def like(self, sample: Sample) -> list[Any]:
        """The objects of the sample's class in its image, the target among them, in the annotation's order."""
        if self._split is None:
            self._split = load_split(self._name, self._root)
        return [item for item in self._split.objects(sample.image_id) if item.category == sample.category]
