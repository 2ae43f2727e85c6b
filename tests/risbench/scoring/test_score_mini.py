"""A saliency network's maps of the authors' tiny copy, scored by the script that docs/scoring.md shows."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from risbench import DataError, Split, load_split, score
from risbench.datasets.catalog import names
from risbench.masks import union_of

SCRIPT = Path(__file__).with_name("write_masks.py")


@pytest.fixture(scope="module")
def maps(mini: Path) -> Path:
    folder = mini / "heats" / "isnet_small"
    if not folder.is_dir():
        pytest.skip("this copy has no saliency maps")
    return folder


@pytest.fixture(scope="module")
def splits(mini: Path) -> list[Split]:
    found = []
    for name in names():
        if name.startswith("shapes_"):
            continue
        try:
            found.append(load_split(name, mini))
        except DataError:
            continue
    return [split for split in found if len(split)]


def test_the_readmes_script_makes_masks_that_are_scored_on_every_split(
    mini: Path, maps: Path, splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert len(splits) >= 9
    for split in splits:
        brought, out = tmp_path / f"{split.name}.jsonl", tmp_path / split.name
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), split.name, str(mini), str(maps), str(brought)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        run = score(brought, split.name, data_root=mini, rules="clean", out=out)
        assert run.summary["count"] == len(split)
        assert run.summary["partial"]
        expected = []
        for sample in split:
            mask = np.asarray(Image.open(maps / f"{sample.image_path.stem}.png")) > 127
            truth = union_of(sample.parts, sample.size)
            either = (mask | truth).sum()
            expected.append((mask & truth).sum() / either if either else 0)
        assert run.summary["metrics"]["mIoU"]["value"] == pytest.approx(np.mean(expected))


def test_the_same_maps_as_heats_are_cut_where_the_script_cuts_them(
    maps: Path, splits: list[Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    split = max(splits, key=len)
    place = tmp_path / "heats"
    place.mkdir()
    for sample in split:
        grey = np.asarray(Image.open(maps / f"{sample.image_path.stem}.png"))
        np.save(place / f"{sample.sent_id}.npy", grey.astype(np.float32) / 255)
    monkeypatch.setattr(
        sys, "argv", [str(SCRIPT), split.name, str(split.data_root), str(maps), str(tmp_path / "masks.jsonl")]
    )
    runpy.run_path(str(SCRIPT), run_name="__main__")
    masks = score(tmp_path / "masks.jsonl", split, rules="clean", out=tmp_path / "of masks")
    heats = score(place, split, rules="clean", out=tmp_path / "of heats")
    for name in ("mIoU", "oIoU", "P@0.5", "Accbox"):
        assert heats.summary["metrics"][name] == masks.summary["metrics"][name]
    # Only heats point.
    assert masks.summary["metrics"]["PointM"]["count"] == 0
    assert heats.summary["metrics"]["PointM"]["count"] == len(split)


def test_the_guide_shows_the_script_that_is_tested():
    guide = (Path(__file__).parents[3] / "docs" / "scoring.md").read_text(encoding="utf-8")
    assert SCRIPT.read_text(encoding="utf-8").split('"""\n\n', 1)[1].strip() in guide
