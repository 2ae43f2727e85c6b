"""The command line: what goes to stdout, what to stderr, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.command_lines import NEW_CLICK
from helpers.commands import Ask, Outcome

from risbench import load_split
from risbench.datasets import catalog

SPLIT = "refcoco_val"


def assert_one_line(result: Outcome, code: int) -> None:
    assert result.code == code
    assert result.out == ""
    last = result.err.splitlines()[-1]
    assert last.startswith("risbench: ")
    assert "Traceback" not in result.err
    assert sum(line.startswith("risbench: ") for line in result.err.splitlines()) == 1


# Exit codes and errors


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("scroe x", "no command 'scroe': did you mean 'score'"),
        ("data chek", "Did you mean 'check'?" if NEW_CLICK else "No such command 'chek'"),
        ("data leeks", "No such command 'leeks'"),
        ("list metods", "'metods' is not one of 'methods'"),
        ("list", "Missing argument"),
        ("list metrics --jsno", "Did you mean '--json'?" if NEW_CLICK else "Did you mean --json?"),
        ("score", "Missing argument 'PREDICTIONS'"),
        ("score x --splt y", "Did you mean '--split'?" if NEW_CLICK else "Did you mean --split?"),
        ("score x", "Missing option '--split'"),
        ("score x --split shapes_vla", "near names: shapes_val"),
        ("score x --split refcocoplus_vall", "near names: refcoco+_val"),
        ("score x --split {split} --data-root {root}", "x does not exist"),
        ("score {predicted} --split {split} --data-root {root} --rules triss", "did you mean 'tris'?"),
        ("score {predicted} --split {split} --data-root {root} --metrics mIuO", "did you mean 'mIoU'?"),
        ("score {predicted} --split {split} --data-root {root} --metrics P@2", "k is an IoU between 0 and 1"),
        ("score {predicted} --split {split} --data-root {root} --threshold nan", "must be a finite number"),
        ("score {predicted} --split {split} --data-root {root} --threshold 0.5", "--threshold cuts heats"),
        ("score {predicted} --split {split} --data-root {root} --threshold high", "'high' is not a valid float"),
        ("run --method centr --split {split} --data-root {root}", "no method named 'centr': did you mean 'centre'?"),
        ("run --method random_box --split {split} --data-root {root} --set sead=1", "did you mean 'seed'?"),
        ("run --method random_box --split {split} --data-root {root} --set seed=x", "must be a number (int)"),
        ("run --method random_box --split {split} --data-root {root} --set seed", "write KEY=VALUE"),
        ("run --method centre --split {split} --data-root {root} --set size=1", "it has no options"),
        ("run --method centre --split {split} --data-root {root} --weights w.pt", "takes no weights"),
        ("run --method centre --split {split} --data-root {root} --limit 0", "leaves nothing to run"),
        ("run --method centre --split {split} --data-root {root} --limit some", "'some' is not a valid integer"),
        ("run --method centre --split {split} --data-root {root} --shard 2/2 --out o", "write I/N"),
        ("run --method centre --split {split} --data-root {root} --set texts=mixed", "must be one of given, shuffled"),
        ("run --method centre --split {split} --data-root {root} --device tpu", "no device named 'tpu'"),
        ("report --as markdown", "Missing argument"),
        ("check centr", "no method named 'centr': did you mean 'centre'?"),
        ("merge nowhere", "has no shards"),
        ("data check refcoco_vale", "near names: refcoco_val"),
        ("data where refcoco_vale", "near names: refcoco_val"),
        ("data leaks refcoco_vale", "near names: refcoco_val"),
    ],
)
def test_a_wrong_command_is_one_line_and_2(
    ask: Ask, root: Path, predicted: Path, words: str, hint: str, monkeypatch: pytest.MonkeyPatch
):
    # Where nothing is drawn, a test of a hint takes no seconds.
    monkeypatch.setattr("risbench.cli.check.load_split", lambda *_: load_split(SPLIT, root))
    result = ask(*(word.format(split=SPLIT, root=root, predicted=predicted) for word in words.split()))
    assert_one_line(result, 2)
    assert hint in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("score {predicted} --split {split} --data-root nowhere", "no such data root"),
        ("score {predicted} --split {split} --data-root {root} --card none.toml", "none.toml: cannot be read"),
        ("score broken.jsonl --split {split} --data-root {root}", "broken.jsonl, line 1: not JSON"),
        ("score less.jsonl --split {split} --data-root {root}", "--allow-missing"),
        ("report nowhere", "nowhere is not a run folder"),
        ("run --method centre --split {split} --data-root {root} --out {predicted}/x", "cannot be made"),
    ],
)
def test_work_that_fails_is_one_line_and_1(
    ask: Ask, root: Path, predicted: Path, tmp_path: Path, words: str, hint: str
):
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "less.jsonl").write_text(predicted.read_text().splitlines()[0] + "\n")
    result = ask(*(word.format(split=SPLIT, root=root, predicted=predicted) for word in words.split()))
    assert_one_line(result, 1)
    assert hint in result.err.splitlines()[-1]


def test_no_command_shows_the_help_and_is_wrong(ask: Ask):
    result = ask()
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: risbench ")


@pytest.mark.parametrize("words", ["--help", "-h", "score --help", "data check -h", "--version"])
def test_help_goes_to_stdout_and_is_no_error(ask: Ask, words: str):
    result = ask(*words.split())
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("risbench, version " if words == "--version" else "Usage: risbench ")


def test_every_command_in_the_help_can_be_asked_for_help(ask: Ask):
    lines = ask("--help").out.split("\nData:\n")[1].splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("  `")]
    assert {"run", "score", "merge", "list", "check", "data", "report"} <= set(names)
    for name in names:
        assert ask(name, "--help").code == 0


def test_unknown_metrics_are_said_before_anything_is_run(ask: Ask, root: Path, tmp_path: Path):
    result = ask(
        "run", "--method", "centre", "--split", SPLIT, "--data-root", root, "--out", "o", "--metrics", "mIoU,no"
    )
    assert_one_line(result, 2)
    assert not (tmp_path / "o").exists()


def test_a_place_that_cannot_be_written_is_one_line(ask: Ask, root: Path, predicted: Path, tmp_path: Path):
    assert ask("score", predicted, "--split", SPLIT, "--data-root", root, "--out", "run").code == 0
    for kind, file in (("grid", "x.png"), ("latex", "x.tex")):
        result = ask("report", "run", "--as", kind, "--data-root", root, "--out", predicted / file)
        assert_one_line(result, 1)
        assert str(predicted) in result.err


# Data and talk


def test_scoring_prints_a_table_and_where_it_lies(ask: Ask, root: Path, predicted: Path):
    result = ask("score", predicted, "--split", SPLIT, "--data-root", root, "--out", "run")
    assert (result.code, result.err) == (0, "")
    assert "masks on refcoco_val (PARTIAL)" in result.out
    assert "folder run" in result.out.splitlines()[-1]
    assert "\x1b" not in result.out


def test_json_is_the_summary_and_nothing_else(ask: Ask, root: Path, predicted: Path, tmp_path: Path):
    result = ask(
        "score", predicted, "--split", SPLIT, "--data-root", root, "--out", "run", "--json", "--metrics", "ciou,P@0.25"
    )
    found = json.loads(result.out)
    stored = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert list(found["metrics"]) == ["oIoU", "P@0.25"]
    assert found["metrics"]["oIoU"] == stored["metrics"]["oIoU"]
    assert {**found, "metrics": None} == {**stored, "metrics": None, "folder": "run"}


def test_running_talks_on_stderr_alone(ask: Ask, root: Path):
    result = ask(
        "run",
        "--method",
        "oracle_box",
        "--split",
        SPLIT,
        "--data-root",
        root,
        "--out",
        "run",
        "--json",
        "--device",
        "cpu",
    )
    assert result.code == 0
    assert json.loads(result.out)["method"] == "oracle_box"
    assert result.err == "folder: run\n"


def test_a_name_in_brackets_is_a_name(ask: Ask, root: Path, predicted: Path, tmp_path: Path):
    (tmp_path / "card.toml").write_text('name = "ours [/bold] [red]x"')
    result = ask(
        "score", predicted, "--split", SPLIT, "--data-root", root, "--card", "card.toml", "--out", "a [b] folder"
    )
    assert result.code == 0
    assert "ours [/bold] [red]x on refcoco_val" in result.out
    assert "folder a [b] folder" in result.out
    assert ask("report", "a [b] folder").out.splitlines()[2].startswith(r"| ours \[/bold\] \[red\]x |")


def test_a_report_goes_to_stdout_or_to_a_file(ask: Ask, root: Path, predicted: Path, tmp_path: Path):
    ask("score", predicted, "--split", SPLIT, "--data-root", root, "--out", "run")
    result = ask("report", "run", "--metrics", "mIoU")
    assert result.err == ""
    assert result.out.splitlines()[:3] == ["| Method | mIoU |", "|:--|--:|", "| masks | 0.0 |"]
    written = ask("report", "run", "--metrics", "mIoU", "--out", "t.md")
    assert (written.out, written.err) == ("", "written: t.md\n")
    assert (tmp_path / "t.md").read_text() == result.out


# Lists


@pytest.mark.parametrize(
    ("what", "keys", "some"),
    [
        ("methods", {"name", "card", "entry_point"}, {"centre", "full", "oracle_box"}),
        ("splits", {"name", "state", "expected", "from"}, set(catalog.names())),
        ("metrics", {"name", "definition"}, {"mIoU", "oIoU", "P@k", "PointIt", "PointM", "Accbox"}),
        ("rules", {"name", "text"}, {"tris", "lavt", "clean"}),
        ("reports", {"name", "entry_point"}, {"markdown", "latex", "grid"}),
        ("recipes", set(), set()),
    ],
)
def test_lists_are_arrays_of_like_objects(ask: Ask, what: str, keys: set[str], some: set[str]):
    result = ask("list", what, "--json")
    found = json.loads(result.out)
    assert result.code == 0
    assert isinstance(found, list)
    assert some <= {entry["name"] for entry in found}
    for entry in found:
        assert not keys or set(entry) == keys
    table = ask("list", what)
    assert table.code == 0
    assert all(name in table.out.replace("\n", "") for name in some if len(name) < 8)


def test_a_listed_method_shows_what_its_card_says(ask: Ask):
    found = {entry["name"]: entry for entry in json.loads(ask("list", "methods", "--json").out)}
    assert found["oracle_box"]["card"]["reads"] == ["box"]
    assert found["centre"]["entry_point"] == "baselines.floors.centre:make"
    for name, entry in found.items():
        assert entry["card"]["licence"], name
        assert entry["card"]["grade"] in ("native", "hosted", "external"), name
    whole = ask("list", "methods", "clip_gae", "oracle_box")
    assert "Chefer et al." in whole.out
    assert "reads          box" in whole.out
    assert "'clip_gae'" in ask("list", "methods", "clip_ga").err
