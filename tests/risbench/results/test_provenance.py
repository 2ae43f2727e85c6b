"""The provenance names the program as a user calls it."""

from __future__ import annotations

import sys

import pytest

from risbench.results.provenance import provenance


@pytest.mark.parametrize(
    ("called", "shown"),
    [("/somewhere/bin/risbench", "risbench"), ("/somewhere/risbench/__main__.py", "risbench"), ("mine.py", "mine.py")],
)
def test_the_command_begins_with_the_program_or_the_package(monkeypatch: pytest.MonkeyPatch, called: str, shown: str):
    monkeypatch.setattr(sys, "argv", [called, "run", "--method", "centre"])
    assert provenance()["command"] == [shown, "run", "--method", "centre"]
