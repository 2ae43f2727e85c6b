"""The provenance names the program as a user calls it, and versions and commit as their own tools do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest

from risbench.results.provenance import provenance, version_of


@pytest.mark.parametrize(
    ("called", "shown"),
    [("/somewhere/bin/risbench", "risbench"), ("/somewhere/risbench/__main__.py", "risbench"), ("mine.py", "mine.py")],
)
def test_the_command_begins_with_the_program_or_the_package(monkeypatch: pytest.MonkeyPatch, called: str, shown: str):
    monkeypatch.setattr(sys, "argv", [called, "run", "--method", "centre"])
    assert provenance()["command"] == [shown, "run", "--method", "centre"]


def test_a_version_is_what_the_standard_library_finds():
    names = {one.metadata["Name"] for one in distributions()}
    assert "numpy" in names
    assert {name: version_of(name) for name in names} == {name: version(name) for name in names}
    assert version_of("no-such-distribution") is None
    with pytest.raises(PackageNotFoundError):
        version("no-such-distribution")


def test_what_is_installed_while_python_runs_has_its_own_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version_of("made-up-distribution") is None
    for place, number in enumerate(("1.0", "2.0"), start=1):
        shutil.rmtree(tmp_path / "made_up_distribution-1.0.dist-info", ignore_errors=True)
        about = tmp_path / f"made_up_distribution-{number}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made-up-distribution\nVersion: {number}\n")
        os.utime(tmp_path, (place, place))  # clocks of file systems may be slower than this test
        assert version_of("made-up-distribution") == number


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_is_the_checkouts_and_changes_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*words: str) -> str:
        name = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *name, *words], check=True, capture_output=True, text=True
        ).stdout

    file = tmp_path / "risbench" / "results" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("1")
    monkeypatch.setattr("risbench.results.provenance.__file__", str(file))
    assert provenance()["commit"] is None  # no checkout
    git("init", "-q")
    assert provenance()["commit"] is None  # nothing is committed yet
    git("add", ".")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD").strip()
    assert provenance()["commit"] == commit
    (tmp_path / "untracked.py").write_text("")
    assert provenance()["commit"] == commit
    file.write_text("2")
    assert provenance()["commit"] == f"{commit}+changes"
