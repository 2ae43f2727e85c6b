"""Intervals, captions and comparisons in every form of a table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from helpers.commands import Ask
from helpers.runs import ious_of, write_run

from reports.tables import as_csv, as_json, latex, markdown
from risbench import Run, UsageError
from risbench.statistics.compare import compare
from risbench.statistics.interval_text import interval_text
from risbench.statistics.summary import with_interval


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return [write_run(tmp_path / name, ious_of(level, 3), method=name) for name, level in (("one", 0.4), ("two", 0.6))]


def test_the_number_after_plus_minus_reaches_the_farther_end():
    assert interval_text(0.5, 0.45, 0.52, "pm") == "± 5.0"
    assert interval_text(0.5, 0.49, 0.56, "pm") == "± 6.0"
    assert interval_text(0.5, 0.49, 0.56, "low-high") == "(49.0–56.0)"
    assert interval_text(0.5, None, None, "pm") == ""  # one image has no interval
    assert with_interval({"value": 0.5, "low": None, "high": None}, "pm") == "50.0"
    with pytest.raises(UsageError, match="intervals wide: must be pm or low-high"):
        interval_text(0.5, 0.4, 0.6, "wide")


@pytest.mark.parametrize("form", ["pm", "low-high"])
def test_every_form_of_a_table_prints_the_intervals_of_the_summary(runs: list[Run], form: str):
    found = runs[1].summary["metrics"]["mIoU"]
    text = interval_text(found["value"], found["low"], found["high"], form)
    assert f" {text}" in (markdown.render(runs, metrics="mIoU", intervals=form) or "")
    of_tex = text.replace("±", r"\ensuremath{\pm}").replace("–", "--")
    assert f" {of_tex}" in (latex.render(runs, metrics="mIoU", intervals=form) or "")
    lines = list(csv.DictReader(io.StringIO(as_csv.render(runs, metrics="mIoU", intervals=form) or "")))
    bounds = [float(lines[1][f"refcoco_val mIoU {end} (%)"]) for end in ("low", "high")]
    assert bounds == pytest.approx([100 * found["low"], 100 * found["high"]], abs=1e-4)
    plain, other = as_json.render(runs, metrics="mIoU"), as_json.render(runs, metrics="mIoU", intervals=form)
    assert plain == other  # which has them in any case
    assert "95 % interval" in (markdown.render(runs, metrics="mIoU", intervals=form) or "")
    assert "95 % interval" not in (markdown.render(runs, metrics="mIoU") or "")


def test_a_mean_over_seeds_keeps_its_standard_deviation_and_the_note_tells_which(tmp_path: Path):
    runs = [
        write_run(tmp_path / f"s{seed}", ious_of(0.4, seed), method="ours", options={"seed": seed}) for seed in (0, 1)
    ]
    alone = write_run(tmp_path / "other", ious_of(0.5, 5), method="other")
    text = markdown.render([*runs, alone], metrics="mIoU", intervals="pm") or ""
    assert "a mean over seeds has its standard deviation after ±, and no interval" in text


def test_units_stand_in_the_heads_of_csv(runs: list[Run]):
    heads = (as_csv.render(runs, metrics="mIoU") or "").splitlines()[0].split(",")
    assert "refcoco_val mIoU (%)" in heads


def test_a_zero_has_no_mark_of_rank(tmp_path: Path):
    nothing, little = [[0.0] * 3] * 40, [[0.0] * 3] * 39 + [[0.6, 0.0, 0.0]]
    runs = [write_run(tmp_path / str(n), ious, method=f"m{n}") for n, ious in enumerate((nothing, nothing, little))]
    for runs_in_column in (runs[:2], runs):
        for render in (markdown.render, latex.render):
            text = render(runs_in_column, metrics="P@0.5") or ""
            assert "**0.0" not in text
            assert "<ins>0.0" not in text
            assert r"\textbf{0.0" not in text
            assert r"\underline{0.0" not in text
        lines = json.loads(as_json.render(runs_in_column, metrics="P@0.5") or "")["lines"]
        assert all(line["cells"][0]["place"] is None for line in lines if line["cells"][0]["value"] == 0)


def test_a_caption_is_printed_as_it_is_written_and_a_label_needs_one(runs: list[Run]):
    text = latex.render(runs, metrics="mIoU", caption=r"50 % of \input{x} & a_b", label="tab:a-1") or ""
    assert r"\caption{50 \% of \textbackslash{}input\{x\} \& a\_b}" in text
    assert text.index(r"\caption") < text.index(r"\label{tab:a-1}") < text.index(r"\begin{tabular}")
    with pytest.raises(UsageError, match="--label needs --caption"):
        latex.render(runs, metrics="mIoU", label="tab:a")
    with pytest.raises(UsageError, match="--label tab"):
        latex.render(runs, metrics="mIoU", caption="x", label="tab}a")


def test_a_comparison_is_the_same_in_every_form(runs: list[Run]):
    found = compare(runs, metrics="mIoU,P@0.5", slices=False)
    record = json.loads(as_json.render.comparison(found))
    lines = list(csv.DictReader(io.StringIO(as_csv.render.comparison(found, intervals="pm"))))
    assert len(lines) == len(record["overall"]) == 2
    for line, test in zip(lines, record["overall"], strict=True):
        assert (line["metric"], line["first"], line["second"]) == (test["metric"], "one", "two")
        assert float(line["difference (points)"]) == pytest.approx(100 * test["difference"], abs=1e-4)
        assert float(line["first low (%)"]) == pytest.approx(100 * test["bounds"][0][0], abs=1e-4)
        assert line["differs"] == ("yes" if test["differs"] else "no")
        difference = f"{100 * test['difference']:+.2f}"
        assert difference in markdown.render.comparison(found)
        assert difference.replace("-", r"\ensuremath{-}") in latex.render.comparison(found)
    # The interval of a score is that of its run's summary.
    summary = runs[0].summary["metrics"]["mIoU"]
    assert record["overall"][0]["bounds"][0] == [summary["low"], summary["high"]]


def test_compare_takes_a_form_and_refuses_what_the_form_lacks(runs: list[Run], ask: Ask, tmp_path: Path):
    words = ("compare", "one", "two", "--no-slices", "--metrics", "mIoU")
    result = ask(*words, "--as", "latex", "--caption", "Ours", "--label", "tab:a", "--out", "table.tex")
    assert (result.code, result.out, result.err) == (0, "", "written: table.tex\n")
    assert r"\caption{Ours}" in (tmp_path / "table.tex").read_text()
    for more, message in (
        (("--as", "grid"), "--as grid shows runs, not comparisons"),
        (("--as", "markdwn"), "did you mean 'markdown'?"),
        (("--as", "csv", "--caption", "x"), "--caption is not an option of --as csv"),
        (("--caption", "x"), "--caption needs --as latex"),
        (("--out", "x.md"), "--out needs --as"),
        (("--json", "--as", "csv"), "not both"),
    ):
        result = ask(*words, *more)
        assert result.code == 2, result.err
        assert message in result.err
        assert len(result.err.splitlines()) == 1


def test_intervals_takes_a_form_or_none_and_never_a_run(runs: list[Run], ask: Ask):
    plus = ask("report", "--metrics", "mIoU", "--intervals", "one", "two").out
    assert plus == ask("report", "one", "two", "--metrics", "mIoU", "--intervals=pm").out
    assert plus == ask("report", "one", "two", "--metrics", "mIoU", "--intervals").out
    assert "±" in plus
    assert "±" not in ask("report", "--intervals", "low-high", "--metrics", "mIoU", "one", "two").out
    assert "±" in ask("compare", "--no-slices", "--intervals", "one", "two").out
    assert ask("report", "one", "--intervals=wide").code == 2
