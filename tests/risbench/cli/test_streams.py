"""Whatever stdout and stderr are, no work is lost, and no text of a stranger moves the cursor."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.runs import ious_of, write_run
from helpers.waiting import wait_until

from risbench.cli import main
from risbench.plain import in_json, visible, without_controls

START = "from risbench.cli import main; main()"
EVIL = "ev\x1b[31mil\x07\x9b2J\u202eexe\u2066"
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e")


class Streams:
    """Standard output and error with an encoding of their own."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def call(self, encoding: str, *words: Any) -> tuple[int, str, str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
        with self._patch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "argv", ["risbench", *map(str, words)])
            with pytest.raises(SystemExit) as left:
                main()
        result = [stream.buffer.getvalue().decode(encoding) for stream in (out, err)]  # type: ignore[attr-defined]
        return int(left.value.code or 0), result[0], result[1]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    monkeypatch.delenv("COLUMNS", raising=False)
    return Streams(monkeypatch)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    names = ("人 – Müller", "b…")
    return [write_run(tmp_path / f"{n}", ious_of(0.3 + n / 10, 1), method=name).path for n, name in enumerate(names)]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_encoding_takes_tables_notes_and_messages(streams: Streams, folders: list[Path], encoding: str):
    for words in (
        ("report", *folders),
        ("compare", *folders, "--no-slices"),
        ("leaderboard",),
        ("list", "rules"),
        ("score", "nö人", "--split", "shapes_val"),
    ):
        code, out, err = streams.call(encoding, *words)
        assert code == (2 if words[0] == "score" else 0), err
        assert "Traceback" not in err
        assert ("┃" in out) == (encoding == "utf-8" and words[0] not in ("report", "score"))


def test_letters_that_an_encoding_lacks_are_written_in_ascii(streams: Streams, folders: list[Path]):
    assert r"\u4eba - M\u00fcller" in streams.call("ascii", "report", *folders)[1]
    assert "- Müller" in streams.call("latin-1", "report", *folders)[1]
    assert "b..." in streams.call("latin-1", "report", *folders)[1]
    assert "人 – Müller" in streams.call("utf-8", "report", *folders)[1]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_says_the_same_in_every_encoding(streams: Streams, folders: list[Path], encoding: str):
    for words in (("report", *folders, "--as", "json"), ("compare", *folders, "--no-slices", "--json")):
        code, out, _ = streams.call(encoding, *words)
        found = json.loads(out)
        assert code == 0
        names = [line["method"] for line in found["lines" if "lines" in found else "runs"]]
        assert set(names) == {"人 – Müller", "b…"}


def test_files_are_utf_8_whatever_the_terminal_is(streams: Streams, folders: list[Path], tmp_path: Path):
    assert streams.call("ascii", "report", *folders, "--out", tmp_path / "table.md")[0] == 0
    assert "人 – Müller" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_help_is_ascii(streams: Streams):
    for words in (["--help"], *([name, "--help"] for name in ("run", "score", "report", "predict", "sweep"))):
        assert streams.call("utf-8", *words)[1].isascii()


def shell(command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    program = f"{sys.executable} -c '{START}'"
    return subprocess.run(["sh", "-c", command.format(program)], capture_output=True, text=True, check=False, **more)


def test_closed_streams_and_full_disks_are_no_traceback():
    done = shell("{} list rules >&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = shell("{} list rules 2>&-")
    assert done.returncode == 0
    assert "lavt" in done.stdout
    if Path("/dev/full").exists():
        done = shell("{} list methods 2>/dev/full")  # talk that cannot be written costs no result
        assert done.returncode == 0
        assert "centre" in done.stdout


@pytest.mark.parametrize("width", ["10", "20"])
def test_a_narrow_terminal_cuts_no_figure(width: str, folders: list[Path]):
    done = shell(
        f"{{}} compare {folders[0]} {folders[1]} --no-slices --metrics mIoU,oIoU",
        env={**os.environ, "COLUMNS": width, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "30.00" in done.stdout or "29." in done.stdout
    figures = [line for line in done.stdout.splitlines() if "IoU" in line and "%" not in line]
    assert not any("…" in line.replace("b…", "") for line in figures)


@pytest.mark.filterwarnings("default:.*its split is not at hand")  # a message, not an error, as outside of tests
def test_a_strangers_text_moves_no_cursor(streams: Streams, tmp_path: Path):
    runs = [write_run(tmp_path / f"{n}", ious_of(0.3 + n / 10, 1), method=f"{EVIL}{n}").path for n in range(2)]
    for words in (
        ("report", *runs),
        ("report", *runs, "--as", "json"),
        ("report", *runs, "--as", "csv"),
        ("report", *runs, "--as", "latex"),
        ("report", *runs, "--as", "rows"),
        ("compare", *runs, "--no-slices"),
        ("compare", *runs, "--no-slices", "--json"),
        ("score", tmp_path / EVIL, "--split", "shapes_val"),
        ("list", "methods", EVIL),
        ("run", "--method", EVIL, "--split", "shapes_val"),
    ):
        _, out, err = streams.call("utf-8", *words)
        assert "exe" in out + err, words
        assert not [sign for sign in OBEYED if sign in out + err], words


def test_what_a_message_quotes_stays_what_it_is():
    assert visible("a\x1b[31m\u202eb\nc\x9b") == r"a\x1b[31m\u202eb c\x9b"
    assert visible("سلام نمی\u200cخواهم 👩\u200d🚀") == "سلام نمی\u200cخواهم 👩\u200d🚀"
    assert without_controls("a\x1b[31m\u202eb\n\tc\x9b\u2068d\u2069") == "a[31mb\n\tc\u2068d\u2069"
    assert json.loads(in_json(json.dumps(EVIL, ensure_ascii=False))) == EVIL


@pytest.fixture
def term_is_default() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("term_is_default")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_report_that_is_ended_leaves_no_half_file(
    streams: Streams, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
):
    def killed(_: int) -> None:
        os.kill(os.getpid(), how)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        code, _, err = streams.call("utf-8", "report", folders[0], "--out", tmp_path / "out" / "table.md")
    signal.signal(signal.SIGINT, before)
    assert code == (143 if how == signal.SIGTERM else 1), err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("term_is_default")
def test_a_run_that_a_queue_ends_finishes_the_image_under_work():
    from risbench.running.interrupts import stop_requested

    with stop_requested(lambda: None) as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        wait_until(stopping, "SIGTERM is heard")
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_that_cannot_be_written_are_named(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    import torch
    from safetensors import SafetensorError

    from risbench import DataError
    from tris_model.files import checkpoint

    def full(error: Exception) -> Any:
        def fail(*_: Any) -> None:
            raise error

        return fail

    monkeypatch.setattr(checkpoint.torch, "save", full(RuntimeError("unexpected pos 64 vs 0")))
    monkeypatch.setattr(checkpoint, "save_file", full(SafetensorError("No space left on device")))
    with pytest.raises(DataError, match=f"w{suffix} cannot be written"):
        checkpoint.write({"a": torch.zeros(5)}, tmp_path / f"w{suffix}", {})
