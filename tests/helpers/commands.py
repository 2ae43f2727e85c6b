"""The command line called in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from risbench.cli import main


class Outcome(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Ask = Callable[..., Outcome]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Runs a command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def requested(*words: Any) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["risbench", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return Outcome(end.value.code or 0, *capsys.readouterr())  # type: ignore[arg-type]

    return requested
