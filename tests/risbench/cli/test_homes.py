"""A home folder that cannot be written stops nothing that can be done without it, and is named with the way out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.runs import ious_of, write_run
from helpers.waiting import GUARD

import risbench

_MAIN = "from risbench.cli import main; main()"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A place below a file: nobody, not even root, can make it."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "home"


def _call(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "RISBENCH_", "MPL"))}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(Path(risbench.__file__).parents[1]), **more}
    return subprocess.run(
        [sys.executable, "-c", _MAIN, *words],
        cwd=home.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=GUARD,
    )


def test_drawn_scenes_name_the_cache_and_its_variable(home: Path):
    done = _call(home, "run", "--method", "centre", "--split", "shapes_val", "--limit", "2", "--out", "x")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"risbench: cannot write the drawn scenes to {home}/.cache/risbench/")
    assert last.endswith("set RISBENCH_CACHE to a writable folder")


@pytest.mark.parametrize("words", [("data", "import", "--from", "mine"), ("data", "get", "refcoco_val")])
def test_data_name_the_data_root_and_how_to_give_another(home: Path, words: tuple[str, ...]):
    mine = home.parents[1] / "mine" / "refcoco"
    mine.mkdir(parents=True)
    (mine / "instances.json").write_text("{}")
    done = _call(home, *words)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"risbench: {home}")
    assert last.endswith("give another data root: --data-root DIR, or RISBENCH_DATA")


def test_pictures_are_drawn_without_a_word_about_matplotlibs_folder(home: Path, shared_cache: Path):
    base = home.parents[1]
    write_run(base / "run", ious_of(0.4, 1))
    (base / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    done = _call(home, "report", "log.jsonl", "--as", "curves", "--out", "c.png")
    assert done.returncode == 0, done.stderr
    assert (base / "c.png").stat().st_size > 1000
    assert "MPLCONFIGDIR" not in done.stderr
    assert "mkdir" not in done.stderr
