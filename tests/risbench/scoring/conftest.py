"""Fixtures of the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.annotations import SIZE, write_image, write_refer
from helpers.score_forms import SPLIT

from risbench import Split, load_split


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The made-up RefCOCO, without images."""
    return write_refer(tmp_path / "data")


@pytest.fixture
def split(root: Path) -> Split:
    return load_split(SPLIT, root)


@pytest.fixture
def pictured(root: Path) -> Split:
    """The made-up RefCOCO, with images."""
    for number in (1, 2):
        write_image(root / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    return load_split(SPLIT, root)
