"""What can be refused at once is refused before scenes are drawn, which takes up to minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import Ask

from risbench import RisbenchError, evaluate

SCORE = "score p.jsonl --split shapes_val"
SWEEP = "sweep p.jsonl --split shapes_val"
RUN = "run --method tris --split shapes_val"


@pytest.fixture
def undrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing may be drawn."""

    def draw(*_: object) -> None:
        raise AssertionError("scenes are drawn")

    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("risbench.datasets.shapes.write._make", draw)
    (tmp_path / "p.jsonl").write_text("{}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (f"{RUN} --weights nowhere.pth", "there is no weights file nowhere.pth"),
        ("run --method clip_sim --split shapes_val --weights nowhere.pt", "nowhere.pt"),
        (f"{RUN} --set stage=3", "stage must be 1 or 2, not 3"),
        (f"{RUN} --set refine=crg", "no refiner named 'crg'"),
        (f"{RUN} --set texts=mixed", "texts=mixed"),
        (f"{RUN} --threshold nan", "a threshold must be a finite number"),
        (f"{RUN} --rules triss", "no rules named 'triss'"),
        (f"{RUN} --limit 0", "leaves nothing to run"),
        (f"{RUN} --batch 0", "a batch needs at least one image, not 0"),
        (f"{RUN} --truth none.json", "none.json: cannot be read"),
        ("check tris --weights nowhere.pth", "there is no weights file nowhere.pth"),
        ("score none.jsonl --split shapes_val", "none.jsonl does not exist"),
        (f"{SCORE} --card none.toml", "none.toml: cannot be read"),
        (f"{SCORE} --rules triss", "no rules named 'triss'"),
        (f"{SCORE} --threshold inf", "a threshold must be a finite number"),
        (f"{SCORE} --truth none.json", "none.json: cannot be read"),
        ("sweep none --split shapes_val", "none does not exist"),
        (f"{SWEEP} --thresholds x", "--thresholds x: write"),
        (f"{SWEEP} --metrics PointM", "PointM cannot be swept"),
    ],
)
def test_a_mistake_costs_no_drawing(undrawn: Path, ask: Ask, words: str, hint: str):
    result = ask(*words.split())
    assert result.code in (1, 2)
    assert hint in result.err.splitlines()[-1]
    assert not (undrawn / "empty").exists()


def test_nor_does_it_in_python(undrawn: Path):
    for wrong in (
        {"weights": "nowhere.pth"},
        {"threshold": float("nan")},
        {"refine": "crg"},
        {"options": {"stage": "3"}},
    ):
        with pytest.raises(RisbenchError):
            evaluate("tris", "shapes_val", out=undrawn / "run", **wrong)
