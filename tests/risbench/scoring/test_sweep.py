"""A sweep gives what scoring at each threshold gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask
from helpers.whole import whole_split
from made_up.answers import Answers, heats_for, masks_for

from risbench import DataError, Prediction, Settings, Split, UsageError, evaluate, score
from risbench.cli.sweep import _print
from risbench.scoring.sweep import Sweep, sweep, thresholds_of


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return whole_split(tmp_path / "data")


@pytest.fixture
def heats(split: Split, tmp_path: Path) -> Path:
    folder = tmp_path / "heats"
    folder.mkdir()
    for name, heat in heats_for(split).items():
        np.save(folder / f"{name.rpartition('/')[2]}.npy", heat)
    return folder


@pytest.mark.parametrize("rules", ["tris", "clean", "lavt"])
def test_every_line_is_what_score_gives_at_that_threshold(split: Split, heats: Path, tmp_path: Path, rules: str):
    metrics = "mIoU,oIoU,P@0.1,P@0.3"
    found = sweep(heats, split, rules=rules, thresholds=[-0.2, 0.0, 0.4], metrics=metrics)
    for place, threshold in enumerate(found.thresholds):
        run = score(heats, split, rules=rules, threshold=threshold, out=tmp_path / str(place))
        summary = run.summary["metrics"]
        for turn, name in enumerate(found.metrics[:2]):
            assert found.values[place][turn] == pytest.approx(summary[name]["value"], abs=1e-12)
            assert found.low[place][turn] == pytest.approx(summary[name]["low"], abs=2e-6)
            assert found.high[place][turn] == pytest.approx(summary[name]["high"], abs=2e-6)


def test_the_rules_own_threshold_is_among_the_default_ones(split: Split, heats: Path):
    assert sweep(heats, split).thresholds[:3] == (0.0, 1e-9, 0.05)
    assert 0.5 in sweep(heats, split, rules="clean").thresholds


def test_the_best_is_stated_with_its_caution(split: Split, heats: Path):
    record = sweep(heats, split).record()
    values = {line["threshold"]: line["mIoU"]["value"] for line in record["lines"]}
    assert values[record["best"]["mIoU"]] == max(values.values())
    assert "tuned on this split" in record["caution"]


def test_a_run_is_swept_by_its_saved_heats(split: Split, heats: Path, tmp_path: Path):
    prepared = {name: Prediction(mask=masks_for(split)[name], heat=heat) for name, heat in heats_for(split).items()}
    settings = Settings(save_heat=True)
    run = evaluate(Answers(prepared), split, out=tmp_path / "run", settings=settings)
    assert sweep(run.path, split).values == sweep(heats, split).values
    limited = evaluate(Answers(prepared), split, out=tmp_path / "limited", settings=settings, limit=2)
    assert sweep(limited.path, split).partial


def test_what_has_no_heats_is_refused(split: Split, heats: Path, tmp_path: Path):
    run = evaluate(Answers(masks_for(split)), split, out=tmp_path / "run")
    with pytest.raises(UsageError, match="--save-heat"):
        sweep(run.path, split)
    with pytest.raises(UsageError, match="sweep needs heats"):
        sweep(run.path / "masks.jsonl", split)
    with pytest.raises(UsageError, match="PointM cannot be swept"):
        sweep(heats, split, metrics="PointM")
    masks = evaluate(Answers(masks_for(split)), split, out=tmp_path / "b", settings=Settings(save_heat=True))
    (masks.path / "heats").mkdir(exist_ok=True)
    with pytest.raises(DataError, match="has a mask but no heat"):
        sweep(masks.path, split)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_the_command_draws_the_curve_and_names_the_best(
    split: Split, heats: Path, tmp_path: Path, ask: Ask, suffix: str
) -> None:
    picture = tmp_path / f"curve.{suffix}"
    words = ["sweep", heats, "--split", split.name, "--data-root", split.data_root]
    result = ask(*words, "--thresholds", "0.1,0.4", "--out", picture, "--json")
    assert result.code == 0, result.err
    assert picture.stat().st_size > 5000
    record = json.loads(result.out)
    found = sweep(heats, split, thresholds=[0.1, 0.4])
    for turn, name in enumerate(found.metrics):
        place = found.best(turn)
        assert record["best"][name] == (None if place is None else found.thresholds[place])
    assert "report it on another one" in record["caution"]
    result = ask(*words, "--out", tmp_path / "curve.jpg")
    assert (result.code, "must end in .png, .pdf or .svg" in result.err) == (2, True)


def test_missing_heats_are_refused_or_counted_as_empty(split: Split, heats: Path):
    first = next(iter(split))
    (heats / f"{first.sent_id}.npy").unlink()
    with pytest.raises(DataError, match=rf"no prediction for 1 \({re.escape(first.id)}\) of"):
        sweep(heats, split)
    assert sweep(heats, split, allow_missing=True).missing == 1
    (heats / "77.npy").write_bytes((heats / f"{split[1].sent_id}.npy").read_bytes())
    with pytest.raises(DataError, match=r"does not have: 1 \(77\)"):
        sweep(heats, split, allow_missing=True)


def test_thresholds_are_lists_or_ranges():
    assert thresholds_of("0.1,0.5") == (0.1, 0.5)
    assert thresholds_of("0:1:0.25") == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert thresholds_of("-1:1:1") == (-1.0, 0.0, 1.0)
    for wrong in ("a", "0:1", "1:0:0.1", "0:1:0", "0:1:-1", "0:1:0.00001", "nan:1:1", ""):
        with pytest.raises(UsageError, match="--thresholds"):
            thresholds_of(wrong)


def test_lines_that_were_cut_off_are_not_taken_for_missing_ones(split: Split, heats: Path, tmp_path: Path):
    run = evaluate(Answers(heats_for(split)), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    lines = (run.path / "masks.jsonl").read_text().splitlines(keepends=True)
    (run.path / "masks.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(DataError, match=r"masks\.jsonl: holds \d+ lines"):
        sweep(run.path, split, allow_missing=True)


def _swept(*values: float) -> Sweep:
    lines = [[value] for value in values]
    grid = tuple(0.1 * place for place in range(len(values)))
    return Sweep("mine", "tris", False, 9, 0, grid, ("mIoU",), lines, lines, lines)


def test_thresholds_that_print_the_same_are_best_together():
    found = _swept(0.2, 0.50001, 0.50002, 0.49999, 0.3)
    assert found.best() == 2
    assert found.level() == (1, 2, 3)
    assert found.also_best() == " (as printed the same at 0.1, 0.3)"


def test_one_best_threshold_stands_alone_and_none_where_all_print_the_same():
    assert (_swept(0.2, 0.5, 0.4).level(), _swept(0.2, 0.5, 0.4).also_best()) == ((1,), "")
    assert _swept(0.50001, 0.50002).level() == ()
    assert _swept(0.5, 0.5).level() == ()


def test_the_table_marks_all_that_print_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    tables = []
    monkeypatch.setattr("risbench.cli.sweep.show.print_table", tables.append)
    _print(_swept(0.2, 0.50001, 0.50002, 0.3))
    assert list(tables[0].columns[1].cells) == ["20.00", "[bold]50.00[/]", "[bold]50.00[/]", "30.00"]
    _print(_swept(0.50001, 0.50002))
    assert list(tables[1].columns[1].cells) == ["50.00", "50.00"]
    assert "no threshold is the best: mIoU is the same at all of them" in capsys.readouterr().out
