"""The command line: what goes to stdout, what to stderr, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import SIZE, annotation, image, ref, refer_content, sentence, write_image, write_refer
from helpers.command_lines import NEW_CLICK
from helpers.commands import Ask, Outcome

from risbench import load_split
from risbench.datasets import catalog
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


# Data sets


def test_checking_a_split_tells_its_counts_and_what_is_wrong(ask: Ask, root: Path):
    result = ask("data", "check", SPLIT, "--data-root", root, "--json")
    (report,) = json.loads(result.out)
    assert report["split"] == SPLIT
    assert report["counts"] == {"images": 2, "refs": 4, "expressions": 6}
    assert report["expected"] == {"images": 1500, "refs": 3811, "expressions": 10834}
    assert report["partial"]
    assert report["images_present"] == 2
    assert {problem["kind"] for problem in report["problems"]} <= {"box", "mask"}
    assert result.code == (0 if report["ok"] else 1)


def test_a_whole_and_right_split_passes_and_a_lost_image_does_not(ask: Ask, tmp_path: Path):
    instances, refs = refer_content()
    good = [ref for ref in refs if ref["ref_id"] in (100, 103)]
    root = write_refer(tmp_path / "good", instances, good)
    image = root / "train2014" / "COCO_train2014_000000000001.jpg"
    write_image(image, SIZE)
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 0
    assert "refcoco_val: ok, partial" in result.out
    image.unlink()
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 1
    assert f"image {image.name}: " in result.out
    assert ask("data", "check", SPLIT, "--no-images", "--data-root", root).code == 0


def test_an_absent_split_fails_its_check_with_the_missing_file(ask: Ask, tmp_path: Path):
    result = ask("data", "check", "refcoco_val", "refcoco+_val", "--data-root", tmp_path / "none", "--json")
    assert result.code == 1
    assert [report["ok"] for report in json.loads(result.out)] == [False, False]
    assert "no such data root" in json.loads(result.out)[0]["problems"][0]["text"]


def test_where_tells_each_file_and_whether_it_is_there(ask: Ask, root: Path):
    found = json.loads(ask("data", "where", SPLIT, "--data-root", root, "--json").out)
    assert {item["what"] for item in found} == {"annotations", "images"}
    assert {Path(item["path"]).name: item["found"] for item in found if item["what"] == "annotations"} == {
        "refs(unc).p": True,
        "instances.json": True,
    }
    result = ask("data", "where", "refcocog_val_u", "--data-root", root)
    assert result.code == 0
    assert "missing annotations" in result.out
    assert str(root / "refer" / "refcocog" / "refs(umd).p") in result.out


def test_where_shows_brackets_in_a_path(ask: Ask, tmp_path: Path):
    result = ask("data", "where", SPLIT, "--data-root", tmp_path / "a [red]b")
    assert str(tmp_path / "a [red]b" / "train2014") in result.out


def test_leaks_are_found_or_their_absence_said(ask: Ask, root: Path, tmp_path: Path):
    instances, refs = refer_content()
    for one in refs:
        one["split"] = {"val": "train", "testA": "val"}.get(one["split"], one["split"])
    refs[1]["split"] = "val"
    leaky = write_refer(tmp_path / "leaky", instances, refs)
    result = ask("data", "leaks", "--data-root", leaky, "--json")
    assert result.code == 0
    leaks = {(leak["seen"], leak["tested"]): leak["images"] for leak in json.loads(result.out)}
    assert leaks["refcoco_train", "refcoco_val"] == 1
    assert "refcoco_train" in ask("data", "leaks", "--data-root", leaky).out
    none = ask("data", "leaks", SPLIT, "--data-root", root)
    assert (none.out, none.err) == ("", "no shared images among the splits that are there\n")
    assert json.loads(ask("data", "leaks", SPLIT, "--data-root", root, "--json").out) == []


def test_a_check_fits_on_a_screen_however_much_is_wrong(ask: Ask, tmp_path: Path):
    images = [image(n, SIZE) for n in range(50)]
    anns = [annotation(n, n, [40, 5, 50, 10], [[40, 5, 90, 5, 90, 15]]) for n in range(50)]
    refs = [ref(n, n, n, "val", [sentence(n, "x")]) for n in range(50)]
    root = write_refer(tmp_path / "bad", {"images": images, "annotations": anns}, refs)
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 1
    assert "100 PROBLEMS" in result.out
    assert "46 more of image, 46 more of mask (--json lists all)" in result.out
    assert len(result.out.splitlines()) < 20
    report = json.loads(ask("data", "check", SPLIT, "--data-root", root, "--json", "--deep").out)[0]
    assert (len(report["problems"]), report["deep"]) == (100, True)


def test_two_splits_and_a_list_are_held_against_each_other(ask: Ask, root: Path, tmp_path: Path):
    result = ask("data", "leaks", "refcoco_testB", "refcoco_testA", "--data-root", root)
    assert result.code == 0
    assert "seen in refcoco_testA, tested in refcoco_testB:" in result.out or "seen in refcoco_testB" in result.out
    assert "expressions are about these images" in result.out
    (tmp_path / "trained.txt").write_text("1\nCOCO_train2014_000000000009.jpg\n")
    result = ask("data", "leaks", SPLIT, "--images", "trained.txt", "--data-root", root)
    assert "seen in trained.txt, tested in refcoco_val:" in result.out
    assert "1 of 2 are in both" in result.out
    assert "1 of its 2 entries are images of this data set" in result.out
    assert "standing warning" not in result.out
    record = json.loads(ask("data", "leaks", SPLIT, "--images", "trained.txt", "--data-root", root, "--json").out)
    assert (record[0]["images"], record[0]["listed"]) == (1, {"known": 1, "entries": 2})
    assert ask("data", "leaks", "--images", "trained.txt").code == 2
    assert ask("data", "leaks", SPLIT, "--images", "none.txt", "--data-root", root).code == 1


def test_the_standing_warning_needs_no_data(ask: Ask, tmp_path: Path):
    result = ask("data", "leaks", "--data-root", tmp_path / "empty")
    assert result.code == 0
    assert "at least 3,549 of val's images" in result.out
    (record,) = json.loads(ask("data", "leaks", "--data-root", tmp_path / "empty", "--json").out)
    assert (record["images"], record["texts"]) == (None, None)
    assert "3,549" in record["standing"]


def test_the_tiny_data_can_be_looked_after(ask: Ask, mini: Path):
    names = ["refcoco_val", "refcoco+_testA", "refcocog_val_u"]
    result = ask("data", "check", *names, "--data-root", mini, "--json")
    reports = json.loads(result.out)
    assert [report["split"] for report in reports] == names
    assert all(report["partial"] and report["images_absent"] == 0 and report["masks"] for report in reports)
    assert all(
        item["found"] for item in json.loads(ask("data", "where", "refcoco_val", "--data-root", mini, "--json").out)[:2]
    )
    assert ask("data", "leaks", "--data-root", mini, "--json").code == 0


# Real processes
