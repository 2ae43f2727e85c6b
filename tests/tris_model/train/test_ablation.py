"""The ablation: every part is left out once, the table holds them all, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.joined import made

from risbench.errors import DataError, UsageError
from tris_model import load
from tris_model.train import stage1, stage2
from tris_model.train.ablation import STAGE1, STAGE2, train


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path, str]:
    folder = tmp_path_factory.mktemp("ablation")
    recipe, data = made(folder)
    return recipe, data, folder / "out", train(recipe, out=folder / "out", device="cpu", data_root=data).read_text()


def test_the_tables_hold_every_network_with_intervals(done: tuple[str, Path, Path, str]) -> None:
    lines = [line for line in done[3].splitlines() if line.startswith("| ") and not line.startswith("| without")]
    names = [line.split("|")[1].strip() for line in lines]
    assert names == ["nothing", *STAGE1, "nothing", *STAGE2]
    for line in lines[1 : 1 + len(STAGE1)]:
        assert len(line.split("|")) == 7  # two metrics, each with its change
    for line in lines[-len(STAGE2) :]:
        assert len(line.split("|")) == 5
    assert "Stage 1 on refcoco_val (2 expressions" in done[3]
    assert "stage1.epochs=1, stage2.epochs=1" in done[3]


def test_each_training_differs_from_the_whole_in_what_it_lacks(done: tuple[str, Path, Path, str]) -> None:
    out = done[2]
    whole = json.loads((out / "whole/recipe.json").read_text())
    for name, changes in (STAGE1 | STAGE2).items():
        folder = out / ("without-" + name.replace(",", "").replace(" ", "-").lower())
        own = json.loads((folder / "recipe.json").read_text())
        for key, value in changes.items():
            place, was = own, whole
            for step in key.split("."):
                place, was = place[step], was.get(step, {}) if isinstance(was, dict) else {}
            assert place == value != was
    assert load(out / "without-bilateral-prompt/stage1.safetensors").config.alpha == 0
    terms = json.loads((out / "without-calibration-both/stage1/log.jsonl").read_text().splitlines()[0])
    assert not {"positive", "negative"} & set(terms)
    assert not (out / "without-irn/pseudo/labels").exists()
    kept = (out / "whole/stage1.safetensors").read_bytes()
    assert all((out / f"without-{name}/stage1.safetensors").read_bytes() == kept for name in ("prms", "irn"))


def test_what_is_finished_is_not_done_again(
    done: tuple[str, Path, Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(stage1, "BatchOrder", never)
    monkeypatch.setattr(stage2, "BatchOrder", never)
    recipe, data, out, text = done
    again = train(recipe, out=out, device="cpu", data_root=data).read_text()
    assert again.splitlines()[:-1] == text.splitlines()[:-1]  # the last line has the date
    assert again in capsys.readouterr().out


def test_another_recipe_is_refused_and_nothing_is_written(done: tuple[str, Path, Path, str]) -> None:
    recipe, data, out, _ = done
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(DataError, match=r"stage1\.epochs is 1 there and 2 here"):
        train(recipe, out=out, device="cpu", data_root=data, **{"stage1.epochs": "2"})
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no stages"):
        train("shapes", out=tmp_path, stage="1")
    (tmp_path / "one.toml").write_text('[stage1]\nsplit = "shapes_train"\n')
    with pytest.raises(UsageError, match=r"no \[stage2\]"):
        train(str(tmp_path / "one.toml"), out=tmp_path)
