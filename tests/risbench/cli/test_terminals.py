"""A command on a terminal, in a pipe, and before a reader that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.command_lines import START
from helpers.terminal import pieces_of


def start(*words: Any, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", START, *map(str, words)]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **more)


@pytest.mark.parametrize("words", [["list", "splits", "--json"], ["list", "splits"], ["--help"]])
def test_a_reader_that_goes_away_is_no_occasion_for_words(words: list[str]):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*words, stdout=writer)
    os.close(writer)
    assert process.communicate()[1] == ""
    assert process.returncode in (0, 141)  # 0: everything was written before the reader closed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("w") as full:
        process = start("list", "splits", "--json", stdout=full)
        result = process.communicate()[1]
    assert (result, process.returncode) == ("risbench: standard output: No space left on device\n", 1)


def on_a_terminal(*words: Any, **environment: str) -> str:
    """What a command writes to stdout when that is a terminal."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = start(*words, stdout=slave, env={**plain, "TERM": "xterm-256color", **environment})
    os.close(slave)
    message = b"".join(pieces_of(master))
    assert process.communicate()[1] == ""
    assert process.returncode == 0
    return message.decode()


def test_there_are_colours_on_a_terminal_but_not_under_no_color():
    assert "\x1b[" in on_a_terminal("list", "metrics")
    assert "\x1b" not in on_a_terminal("list", "metrics", NO_COLOR="1")


def test_there_are_no_escape_codes_in_a_pipe():
    for words in (["list", "splits"], ["data", "where", "refcoco_val", "--data-root", "nowhere"]):
        process = start(*words, stdout=subprocess.PIPE)
        message, talk = process.communicate()
        assert process.returncode == 0
        assert message
        assert "\x1b" not in message + talk


def test_a_reader_that_goes_away_ends_a_command_quietly_with_the_code_of_a_closed_pipe(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", START, "list", "splits", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        result = process.stderr.read() if process.stderr else b""
        assert (process.wait(), result) == (141, b"")
