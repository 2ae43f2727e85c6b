"""A third party's package, found through its entry point alone: the method in twelve lines of docs/running.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from risbench import plugins

_PLUGIN = Path(__file__).parents[1] / "plugin"
_MAIN = "from risbench.cli import main; main()"


@pytest.fixture
def risbench(tmp_path: Path):
    def call(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(_PLUGIN)}
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, *words], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_an_installed_package_is_listed_with_its_entry_point(risbench):
    methods = {entry["name"]: entry for entry in json.loads(risbench("list", "methods", "--json"))}
    assert methods["brightest"]["entry_point"] == "brightest:make"


def test_the_twelve_lines_pass_the_check_and_run(risbench, tmp_path):
    assert "FAIL" not in risbench("check", "brightest")
    words = ("run", "--method", "brightest", "--split", "shapes_val", "--limit", "3", "--json")
    summary = json.loads(risbench(*words))
    assert summary["partial"] is True
    assert summary["metrics"]["PointM"]["count"] == summary["count"] > 0
    assert (tmp_path / summary["folder"] / "summary.json").is_file()


def test_an_edited_package_does_not_answer_with_its_old_figures(tmp_path: Path):
    shutil.copytree(_PLUGIN, tmp_path / "plugin")
    code = tmp_path / "plugin" / "brightest.py"

    def call(*more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "run", "--method", "brightest", "--split", "shapes_val", *more],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "plugin")},
            cwd=tmp_path,
        )
        return done.returncode, done.stdout, done.stderr

    words = ("--limit", "2", "--out", "mine", "--metrics", "mIoU")
    assert call(*words)[0] == 0
    code_of_exit, figures, result = call(*words)
    assert (code_of_exit, "mIoU" in figures) == (0, True)
    assert re.search(r"mine: complete since \S+Z, so nothing was run", result)
    code.write_text(code.read_text().replace("/ 255", "/ 510 - 0.25"))
    code_of_exit, figures, result = call(*words)
    assert (code_of_exit, figures) == (2, "")
    assert "risbench: mine was made by other code: the code of the method was changed, last in brightest.py" in result
    assert "--overwrite replaces the run, another --out keeps both" in result
    code_of_exit, figures, result = call(*words, "--overwrite")
    assert (code_of_exit, "mIoU" in figures) == (0, True)


def test_the_guide_shows_the_method_that_is_tested():
    guide = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
    assert (_PLUGIN / "brightest.py").read_text(encoding="utf-8").strip() in guide
    assert len((_PLUGIN / "brightest.py").read_text(encoding="utf-8").split("\n")) - 1 <= 14


def test_a_package_that_is_installed_while_python_runs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    os.utime(tmp_path, (1, 1))
    assert "brightest" not in plugins.installed(plugins.METHODS)
    shutil.copytree(_PLUGIN / "brightest-0.1.dist-info", tmp_path / "brightest-0.1.dist-info")
    assert "brightest" in plugins.installed(plugins.METHODS)
    shutil.rmtree(tmp_path / "brightest-0.1.dist-info")
    os.utime(tmp_path, (2, 2))
    assert "brightest" not in plugins.installed(plugins.METHODS)
