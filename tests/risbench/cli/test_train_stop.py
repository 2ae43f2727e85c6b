"""Ctrl-C and SIGTERM outside of a trainer's loops: one line that says how to go on, from one process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from risbench import plugins
from risbench.cli import app
from risbench.errors import DataError
from risbench.running.interrupts import STOPPED, ended_by_ctrl_c
from risbench.running.loop import Stopped


def trained(monkeypatch: pytest.MonkeyPatch, out: Path, train: Callable[[], object]) -> Result:
    """``risbench train`` with a trainer that does this."""

    def trainer(recipe: str, **_: Any) -> object:
        return train()

    monkeypatch.setattr(plugins, "load", lambda *_: trainer)
    return CliRunner().invoke(app, ["train", "mine", "--recipe", "r", "--out", str(out)])


def signalled(number: int) -> None:
    os.kill(os.getpid(), number)


def wrapped() -> None:
    """As torch does where a signal comes while it builds a tensor."""
    try:
        signalled(signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("could not determine the shape of object type") from None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_outside_of_the_loops_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    before = signal.getsignal(number)
    found = trained(monkeypatch, tmp_path, lambda: signalled(number))
    assert isinstance(found.exception, Stopped)
    assert str(found.exception) == STOPPED == "stopped; the same command goes on"
    assert signal.getsignal(number) is before


def test_so_it_does_where_a_library_makes_another_exception_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = trained(monkeypatch, tmp_path, wrapped)
    assert isinstance(found.exception, Stopped)


def test_an_error_without_a_signal_stays_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails() -> None:
        raise DataError("the image is broken")

    assert isinstance(trained(monkeypatch, tmp_path, fails).exception, DataError)


def test_of_torchruns_processes_the_first_speaks_for_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stops() -> None:
        raise Stopped("stopped at step 2 of 3; the same command goes on")

    for rank, kind in (("0", Stopped), ("1", SystemExit)):
        monkeypatch.setenv("RANK", rank)
        for train in (stops, wrapped, lambda: signalled(signal.SIGINT)):
            found = trained(monkeypatch, tmp_path, train)
            assert isinstance(found.exception, kind), (rank, found)
            assert found.exit_code == 1


def test_a_signal_that_somebody_hears_already_stays_theirs() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with ended_by_ctrl_c() as came:
            signalled(signal.SIGINT)
        assert not came()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_in_another_thread_nothing_is_heard_and_nothing_fails() -> None:
    found: list[bool] = []

    def work() -> None:
        with ended_by_ctrl_c() as came:
            found.append(came())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
