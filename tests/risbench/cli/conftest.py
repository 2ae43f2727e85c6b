"""The made-up RefCOCO and predictions for it, for commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import SIZE, write_image, write_refer

from risbench import load_split
from risbench.masks import encode

SPLIT = "refcoco_val"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The made-up RefCOCO with images."""
    folder = write_refer(tmp_path / "data")
    for number in (1, 2, 3, 4):
        write_image(folder / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    return folder


@pytest.fixture
def predicted(root: Path, tmp_path: Path) -> Path:
    """Empty masks for all of it."""
    path = tmp_path / "masks.jsonl"
    empty = encode(np.zeros(SIZE, bool))
    lines = [json.dumps({"id": name, "segmentation": empty}) for name in load_split(SPLIT, root).ids]
    path.write_text("\n".join(lines) + "\n")
    return path
