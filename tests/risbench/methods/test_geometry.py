"""Points, boxes and heats of another convention are said beside the figures, or refused where they are impossible."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.brought import entries, files, lines, run_of, split_with
from helpers.commands import Ask, ask  # noqa: F401
from helpers.small import small_split
from made_up.methods import Heats, Masks

from risbench import MaskError, Prediction, Run, Sample, Scorer, Split, evaluate
from risbench.methods.geometry import Geometry
from risbench.scoring.sweep import sweep


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return split_with(tmp_path / "data")


def box_of(sample: Sample) -> list[float]:
    assert sample.box is not None
    return list(sample.box)


ODD: dict[str, tuple[dict[str, Callable[[Sample], Any]], str | None]] = {
    "right": ({"boxes": lambda sample: [box_of(sample)], "point": lambda sample: box_of(sample)[:2]}, None),
    "on the border": ({"boxes": lambda sample: [[0, 0, 60.5, 40.5]], "point": lambda sample: [60, 40]}, None),
    "boxes of a larger image": ({"boxes": lambda sample: [[0, 0, 640, 480]]}, "6 of 6 boxes leave their image"),
    "boxes as fractions": (
        {"boxes": lambda sample: [[0.1, 0.2, 0.6, 0.9]]},
        "6 of 6 boxes lie in the image's first pixel",
    ),
    "points as fractions": ({"point": lambda sample: [0.5, 0.25]}, "6 of 6 points lie in the image's first pixel"),
    "points outside": (
        {"point": lambda sample: [-5, 3] if sample.sent_id == 9 else [5, 3]},
        "1 of 6 points lie outside their image and count as misses",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_predictions_of_another_convention_are_counted_beside_the_figures(split: Split, tmp_path: Path, name: str):
    more, reason = ODD[name]
    run = run_of(lines(tmp_path / "masks.jsonl", entries(split, **more)), split, tmp_path / "run")
    found = Run.load(run.path).odd_predictions()
    assert len(found) == (reason is not None)
    assert all(line.startswith(str(reason)) for line in found)
    assert run.summary["metrics"]["mIoU"]["value"] == 1


@pytest.mark.parametrize("box", [[30, 5, 10, 25], [10, 25, 30, 5]])
def test_a_box_that_ends_before_it_begins_is_refused(split: Split, tmp_path: Path, box: list[float]):
    reason = f"its box {' '.join(map(str, box))} ends before it begins; a box is x0 y0 x1 y1, not x y w h"
    brought = lines(tmp_path / "masks.jsonl", entries(split, boxes=lambda sample: [box_of(sample), box]))
    with pytest.raises(MaskError, match=reason):
        run_of(brought, split, tmp_path / "run")
    with pytest.raises(MaskError, match=reason):
        Scorer("clean").add(split[0], Prediction(mask=np.ones(split[0].size, bool), boxes=np.array([box])))


def heats(folder: Path, split: Split, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    def save(mask: np.ndarray, path: Path) -> None:
        np.save(path, change(mask.astype(np.float32)))

    return files(folder, split, save, lambda sample: str(sample.sent_id), ".npy")


def test_heats_with_swapped_axes_are_said_by_score_and_sweep(split: Split, tmp_path: Path, ask: Ask):  # noqa: F811
    turned = heats(tmp_path / "turned", split, lambda mask: mask.T)
    reason = "6 of 6 heats have exactly the size (width, height) of their image"
    assert run_of(turned, split, tmp_path / "run").odd_predictions()[0].startswith(reason)
    assert sweep(turned, split).cautions[0].startswith(reason)
    words = [turned, "--split", split.name, "--data-root", split.data_root]
    assert f"warning: {reason}" in " ".join(ask("score", *words).out.split())
    assert f"warning: {reason}" in " ".join(ask("sweep", *words).out.split())
    assert reason in json.loads(ask("sweep", *words, "--json").out)["cautions"][0]
    right = heats(tmp_path / "right", split, lambda mask: mask)
    assert run_of(right, split, tmp_path / "again").odd_predictions() == []
    assert sweep(right, split).cautions == ()


def geometry_of(*sizes: tuple[tuple[int, int], tuple[int, int]]) -> list[str]:
    geometry = Geometry()
    for image, heat in sizes:
        sample = Sample("a/1/1", 1, 1, 1, Path(), image, "", None, ())
        geometry.add(sample, Prediction(heat=np.zeros(heat, np.float32)))
    return geometry.cautions()


def test_one_size_of_heats_for_all_images_is_no_mistake():
    assert geometry_of(((40, 60), (60, 40)), ((40, 60), (60, 40)), ((30, 50), (60, 40))) == []
    assert geometry_of(((40, 60), (60, 40)), ((30, 50), (50, 30)), ((30, 50), (60, 40))) != []
    assert geometry_of(((40, 40), (40, 40)), ((40, 60), (40, 60))) == []


class Turned(Heats):
    def predict(self, image: np.ndarray, texts: list[str]) -> Any:
        return [np.ones(image.shape[1::-1], np.float32)] * len(texts)


def test_a_method_of_swapped_axes_is_said_in_its_run(tmp_path: Path):
    split = small_split(tmp_path / "data", 4)
    run = evaluate(Turned(), split, out=tmp_path / "run")
    (line,) = run.odd_predictions()
    assert "heats have exactly the size (width, height) of their image" in line
    assert evaluate(Masks(), split, out=tmp_path / "masks").odd_predictions() == []
