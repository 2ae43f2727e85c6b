"""Commands one after the other, each with a time limit, and a line of JSON for each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from places import ROOT, folders, without_folders

LAST = 60  # lines of a step's output that are kept


class Session:
    """The steps of one run: how much time is left, and where their lines go."""

    def __init__(
        self,
        file: Path,
        environment: Mapping[str, str],
        minutes: float,
        patience: float = 1,
        only: Sequence[str] | None = None,
    ):
        """Begin.

        Args:
            file: of JSON lines.
            environment: of all steps.
            minutes: until all must be done.
            patience: by which limits of steps are multiplied.
            only: beginnings of the names of the steps that are wanted; None for all.
        """
        self.file = file
        self._patience = patience
        self._only = only
        self.environment = dict(environment)
        self._end = time.monotonic() + 60 * minutes

    def wants(self, name: str) -> bool:
        """Whether a step was asked for."""
        return self._only is None or any(name.startswith(one) for one in self._only)

    @property
    def left(self) -> float:
        """Seconds until all must be done."""
        return self._end - time.monotonic()

    def write(self, **line: Any) -> None:
        """Add a line, without folders of the machine, to the file at once: a later step may take the machine down."""
        line = without_folders(line, folders())
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        shown = {key: value for key, value in line.items() if key not in ("output", "figures")}
        print(json.dumps(shown), flush=True)

    def step(self, name: str, command: Sequence[str], limit: float, reserve: float = 5) -> str | None:
        """Do a step within its limit and what time is left.

        Returns:
            What it printed, or None where it was not wanted, or was left out for want of time.
        """
        if not self.wants(name):
            return None
        limit = min(self._patience * limit, self.left - reserve)
        if limit < 1:
            self.write(step=name, skipped="no time was left")
            return None
        begun = time.monotonic()
        running = self.start(command, subprocess.PIPE)
        try:
            text, code = running.communicate(timeout=limit)[0], running.returncode
        except subprocess.TimeoutExpired:
            stop(running)
            text, code = running.communicate()[0], "timeout"
        except BaseException:  # who ends this program ends what it started
            stop(running)
            raise
        seconds = round(time.monotonic() - begun, 1)
        lines = text.splitlines()
        self.write(
            step=name, command=list(command[1:]), code=code, seconds=seconds,
            limit=round(limit), figures=figures(lines), output=lines[-LAST:],
        )  # fmt: skip
        return text

    def start(self, command: Sequence[str], out: Any) -> subprocess.Popen[str]:
        """A process with a group of its own, so that all that it starts can be ended with it."""
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip


def stop(running: subprocess.Popen[str]) -> None:
    """End a process that was started here, with its group."""
    for sent in (signal.SIGINT, signal.SIGKILL):
        if running.poll() is None:
            os.killpg(running.pid, sent)
            try:
                running.wait(10 if sent == signal.SIGINT else 5)
            except subprocess.TimeoutExpired:
                continue


def figures(lines: Sequence[str]) -> list[Any]:
    """The lines of a step's output that are JSON objects."""
    found = []
    for line in lines:
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
