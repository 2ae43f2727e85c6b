"""A disk that is full, at any byte, and folders that forbid writing: said in one line, and the work goes on after.

Files that may not grow stand for the full disk. Root may write to a folder that forbids it, so these tests take that
right away from their process first, where there is a tool for it (``setpriv``), and are skipped where there is none.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.folders import content_of
from helpers.small import write_small
from helpers.waiting import GUARD

import risbench

_MAIN = "from risbench.cli import main; main()"
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(risbench.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
_RUN = ("run", "--method", "centre", "--split", "refcoco_val", "--data-root", "data", "--out")


def _call(
    place: Path, *words: str, before: tuple[str, ...] = (), most: int | None = None
) -> subprocess.CompletedProcess:
    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [*before, sys.executable, "-c", _MAIN, *words],
        cwd=place,
        env=_ENVIRONMENT,
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )


def _one_line(done: subprocess.CompletedProcess, code: int, *expected: str) -> None:
    lines = [line for line in done.stderr.splitlines() if line.startswith("risbench: ")]
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert any(each in lines[0] for each in expected), lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set and a run over it."""
    folder = tmp_path_factory.mktemp("whole")
    write_small(folder / "data", 6)
    assert _call(folder, *_RUN, "whole").returncode == 0
    return folder


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _fill(place: Path, shares: Iterator[int]) -> None:
    largest = max(file.stat().st_size for file in (place / "whole").iterdir())
    for share in shares:
        done = _call(place, *_RUN, "run", most=largest * share // 100)
        _one_line(done, 1, "cannot be written: File too large", "File too large")
        assert not (place / "run" / "summary.json").exists()
    assert _call(place, *_RUN, "run").returncode == 0
    assert content_of(place / "run") == content_of(place / "whole")


def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_after(place: Path):
    _fill(place, iter((0, 60)))


@pytest.mark.torture
def test_a_disk_that_fills_up_at_any_byte_is_said_and_the_run_goes_on_after(place: Path):
    _fill(place, iter(range(0, 100, 2)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_goes_nowhere_is_an_error_of_one_line(place: Path):
    for words in (("list", "splits"), ("report", "whole", "--as", "markdown")):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-c", _MAIN, *words],
                cwd=place,
                env=_ENVIRONMENT,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        _one_line(done, 1, "output: No space left on device")


def test_a_pipe_that_is_written_to_stays_a_pipe(place: Path):
    """As a device does: root would put a file in the place of /dev/null."""
    os.mkfifo(place / "pipe")
    with subprocess.Popen(["cat", "pipe"], cwd=place, stdout=subprocess.PIPE, text=True) as reader:
        assert _call(place, "report", "whole", "--as", "csv", "--out", "pipe").returncode == 0
        assert "centre" in reader.communicate(timeout=GUARD)[0]
    assert (place / "pipe").is_fifo()


@pytest.fixture
def bound() -> tuple[str, ...]:
    """Words before a command that hold it to what folders allow."""
    if os.geteuid() != 0:
        return ()
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("root may write anywhere, and there is no setpriv to take that away")
    return words


def test_folders_that_forbid_writing_are_named(place: Path, bound: tuple[str, ...]):
    shut = place / "shut"
    shut.mkdir()
    shutil.copytree(place / "whole", shut / "run")
    shutil.rmtree(place / "whole" / "heats", ignore_errors=True)
    for folder in (shut / "run", shut):
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        _one_line(_call(place, *_RUN, "shut/new", before=bound), 1, "shut/new: cannot be made: Permission denied")
        # What is finished is read, though nothing can be noted beside it.
        assert _call(place, "report", "shut/run", "--as", "csv", before=bound).returncode == 0
        for words in (
            ("report", "whole", "--as", "csv", "--out", "shut/table.csv"),
            ("submit", "whole", "--board", "shut"),
            ("score", "whole/masks.jsonl", "--split", "refcoco_val", "--data-root", "data", "--out", "shut/again"),
        ):
            done = _call(place, *words, before=bound)
            _one_line(done, 1, "Permission denied", "cannot be entered")
    finally:
        for folder in (shut, shut / "run"):
            folder.chmod(stat.S_IRWXU)
