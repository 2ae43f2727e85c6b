"""A run that Python code starts shows a bar where somebody looks, and is silent elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from helpers.small import small_split
from helpers.terminal import pieces_of
from made_up.methods import Heats

from risbench import Split, UsageError, evaluate, score


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return small_split(tmp_path / "data", 4)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What a notebook's cell shows, in order: IPython with a kernel, as far as a bar needs it."""
    states: list[dict[str, str]] = []

    def display(what: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert (raw, display_id) == (True, True)
        states.append(what)
        return SimpleNamespace(update=lambda what, raw: states.append(what))

    shell, module = ModuleType("IPython"), ModuleType("IPython.display")
    shell.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return states


def test_a_notebook_shows_the_way_to_the_last_image(split: Split, shown: list[dict[str, str]], tmp_path: Path):
    run = evaluate(Heats(), split, out=tmp_path / "run", name="<mine>")
    assert shown[0]["text/plain"] == "<mine> on refcoco_val: starting"
    miou, oiou = (100 * run.summary["metrics"][name]["value"] for name in ("mIoU", "oIoU"))
    assert shown[-1]["text/plain"] == f"<mine> on refcoco_val: 4/4 images  mIoU {miou:.1f}  oIoU {oiou:.1f}"
    assert shown[-1]["text/html"].startswith('<progress value="4" max="4"')
    assert "&lt;mine&gt;" in shown[-1]["text/html"]
    score(run.path, split, out=tmp_path / "again")
    assert shown[-1]["text/plain"].startswith("scoring <mine> on refcoco_val: 4/4 images")


@pytest.mark.parametrize("silent", [False, None])
def test_nothing_is_shown_where_it_is_switched_off(silent: Any, split: Split, shown: list[Any], tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path / "run", progress=silent)
    assert shown == []


def test_of_several_ranks_the_first_shows(
    split: Split, shown: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RANK", "1")
    evaluate(Heats(), split, out=tmp_path / "run", shard=(1, 2))
    assert shown == []


def test_a_function_is_called_instead(split: Split, shown: list[Any], tmp_path: Path):
    states: list[Any] = []
    evaluate(Heats(), split, out=tmp_path / "run", progress=states.append)
    assert [state.done for state in states] == [1, 2, 3, 4]
    assert shown == []
    with pytest.raises(UsageError, match="progress='yes': give True, False, or a function"):
        evaluate(Heats(), split, out=tmp_path / "other", progress="yes")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


SCRIPT = """
import sys
from made_up.methods import Heats
from risbench import evaluate, load_split
evaluate(Heats(), load_split("refcoco_val", sys.argv[1]), out=sys.argv[2])
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_a_bar_and_a_pipe_nothing(terminal: bool, split: Split, tmp_path: Path):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty() if terminal else os.pipe()
    words = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "data"), str(tmp_path / "run")]
    plain = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    environment = {**plain, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(words, stderr=slave, stdout=subprocess.PIPE, env=environment)
    os.close(slave)
    message = b"".join(pieces_of(master))
    assert process.communicate()[0] == b""
    assert process.returncode == 0, message
    assert (b"Heats on refcoco_val" in message and b"4/4" in message and b"mIoU" in message) == terminal
    assert bool(message) == terminal
