"""Every example runs as its page says, offline, and prints what it is there to show."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Ask
from PIL import Image

from risbench import Run, evaluate
from risbench.masks import decode

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs a file of the examples in a folder of its own and returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *words: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_a_method_in_one_file_is_scored_with_intervals(run_example):
    lines = run_example("one_file_method.py").splitlines()
    assert re.fullmatch(r"mIoU +\d+\.\d  \(\d+\.\d to \d+\.\d\)", lines[0])
    assert not any(line.startswith("PointM") for line in lines)  # masks alone do not point
    run = Run.load(lines[-1])
    assert (run.summary["method"], run.summary["partial"]) == ("WordSide", True)


def test_the_command_line_takes_the_same_file_and_gives_the_same_figures(run_example, ask: Ask):
    run = Run.load(run_example("one_file_method.py").splitlines()[-1])
    file = EXAMPLES / "one_file_method.py"
    assert ask("check", file, "--images", 1).code == 0
    printed = ask("run", "--method", file, "--split", "shapes_val", "--limit", 10, "--rules", "clean", "--json")
    assert json.loads(printed.out)["metrics"] == run.summary["metrics"]


def test_a_file_of_masks_is_scored_as_the_same_masks_of_a_method(run_example, tmp_path):
    printed = run_example("score_masks.py")
    run = Run.load(printed.splitlines()[-1])
    brought = [json.loads(line) for line in (tmp_path / "masks.jsonl").read_text().splitlines()]
    assert len(brought) == run.summary["count"] > 0
    scored = dict(run.masks())
    for line in brought:
        assert (decode(scored[line["id"]]["segmentation"]) == decode(line["segmentation"])).all()


def test_own_pictures_become_a_split_that_runs(run_example):
    # "squares", two pictures with two expressions about each of two squares
    assert re.search(r"^8 expressions, mIoU 18\.7$", run_example("own_split.py"), re.MULTILINE)


def test_a_report_of_ones_own_lists_the_worst_expressions(run_example, tmp_path):
    run = evaluate("centre", "shapes_val", out=tmp_path / "run", limit=2)
    printed = run_example("custom_report.py", run.path).splitlines()
    assert printed[0] == "centre on shapes_val"
    worst = [float(line.split()[0]) for line in printed[1:]]
    assert worst == sorted(100 * (row.iou or 0) for row in run.rows())[:5] or worst == pytest.approx(
        sorted(100 * (row.iou or 0) for row in run.rows())[:5], abs=0.051
    )
    render = runpy.run_path(str(EXAMPLES / "custom_report.py"))["render"]
    assert render([run], out=tmp_path / "worst.txt") is None
    assert (tmp_path / "worst.txt").read_text().splitlines() == printed


def test_a_scorer_in_a_training_loop_gives_a_figure_an_epoch(run_example):
    lines = run_example("training_loop.py").splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2", "epoch 3"]
    assert all(re.search(r"mIoU \d+\.\d, PointM \d+\.\d$", line) for line in lines)
    assert float(lines[0].split()[3].rstrip(",")) > 5  # it has found objects, though it cannot read


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the example's wheel is unpacked, as an installation would."""
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=EXAMPLES / "packaged_method", check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            archive.extract(member, target)
    return target


def test_a_packaged_method_is_found_by_its_name_and_takes_its_option(packaged, tmp_path):
    def call(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(packaged)}
        done = subprocess.run(
            [sys.executable, "-m", "risbench", *words],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "FAIL" not in call("check", "brighter")
    words = ("run", "--method", "brighter", "--split", "shapes_val", "--limit", "2", "--rules", "clean", "--json")
    plain, squared = json.loads(call(*words)), json.loads(call(*words, "--set", "power=2"))
    assert plain["metrics"]["mIoU"] != squared["metrics"]["mIoU"]
    assert plain["metrics"]["PointM"] == squared["metrics"]["PointM"]  # the brightest place stays the brightest


def test_every_example_is_on_its_page_and_is_run_here():
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"]({path.name})" in page
        assert f'"{path.name}"' in here


def _run_cells(notebook: Path) -> None:
    """Run the code cells of a notebook in order, as a kernel would, and print what each would show."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        if isinstance(last, ast.Expr):  # a kernel calls its value `_`
            tree.body[-1] = ast.fix_missing_locations(ast.Assign([ast.Name("_", ast.Store())], last.value, lineno=1))
        exec(compile(tree, f"cell {number}", "exec"), names)
        value = names.pop("_", None)
        if isinstance(value, Image.Image):
            value.load()  # a kernel shows its pixels
        if value is not None:
            shown = getattr(value, "_repr_html_", None)
            print(f"[{number}]", repr(value), shown() if shown else "")


def test_the_tour_runs_offline_from_the_split_to_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refused(*_: Any, **__: Any) -> None:
        raise OSError("the tour needs no network")

    for owner, name in ((socket.socket, "connect"), (socket, "create_connection"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refused)
    monkeypatch.chdir(tmp_path)
    _run_cells(EXAMPLES / "tour.ipynb")
    printed = capsys.readouterr().out
    assert "<Split shapes_val[:60]: 60 expressions of " in printed
    assert re.search(r"<Run of tris on shapes_val: mIoU \d+\.\d, oIoU \d+\.\d, 60 expressions, ", printed)
    assert re.search(r"^mIoU: \+\d+\.\d \(\+\d+\.\d to \+\d+\.\d\), p = ", printed, re.MULTILINE)
    assert re.search(r"^\| WordSide \| (<ins>)?\d+\.\d", printed, re.MULTILINE)
    assert (tmp_path / "worst.png").stat().st_size > 10_000


def test_the_tour_is_committed_without_outputs_and_is_on_the_page():
    notebook = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert "](tour.ipynb)" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


def test_shards_on_ray_give_the_masks_and_the_figures_of_one_process(run_example, tmp_path):
    pytest.importorskip("ray")
    printed = run_example("with_ray.py", "--out", "on-ray")
    one = evaluate("centre", "shapes_val", out=tmp_path / "one")
    assert Run.load(tmp_path / "on-ray").summary == one.summary
    assert (tmp_path / "on-ray" / "masks.jsonl").read_bytes() == (one.path / "masks.jsonl").read_bytes()
    assert f"mIoU {100 * one.summary['metrics']['mIoU']['value']:.1f}" in printed
