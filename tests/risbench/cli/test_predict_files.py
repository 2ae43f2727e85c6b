"""`risbench predict` writes what the method gave, and says what it did not give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask
from PIL import Image


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "street.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    return path


def test_masks_and_overlay_are_written_though_the_method_gives_no_heat(ask: Ask, picture: Path, tmp_path: Path):
    words = ("predict", picture, "a", "b", "--method", "full", "--mask", "m.png", "--heat", "h.npy")
    result = ask(*words, "--overlay", "o.png")
    assert result.code == 1
    assert result.out.count("100.0 % of the image") == 2
    assert result.err.splitlines()[-1].startswith(
        "risbench: h-1.npy, h-2.npy: not written: method 'full' returns a mask"
    )
    assert {file.name for file in tmp_path.iterdir()} >= {"m-1.png", "m-2.png", "o.png"}
    assert not list(tmp_path.glob("*.npy"))


def test_json_names_what_was_written_alone(ask: Ask, picture: Path, tmp_path: Path):
    result = ask("predict", picture, "a", "--method", "random_point", "--mask", "m.png", "--heat", "h.npy", "--json")
    assert result.code == 1
    assert '"m.png"' in result.out
    assert "h.npy" not in result.out
    assert (tmp_path / "m.png").is_file()
