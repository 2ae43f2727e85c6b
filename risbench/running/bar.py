"""The progress of long work: a bar on a terminal, and elsewhere a line every half minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task, TaskID
from rich.text import Text

EVERY = 30.0  # seconds between two lines


class SpeedColumn(ProgressColumn):
    """Steps in a second, or seconds a step where that is more than one; empty until it is known."""

    def render(self, task: Task) -> Text:
        """The column's text for a task."""
        return Text(speed_text(task.speed or 0.0), style="progress.data.speed")


class Bar(Progress):
    """A progress bar. Into a file or pipe it writes a line about every half minute, if the work takes that long."""

    def __init__(
        self,
        *columns: str | ProgressColumn,
        console: Console,
        shown: bool = True,
        in_bytes: bool = False,
        transient: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a bar; use it as a context.

        Args:
            columns: of the bar on a terminal.
            console: where it is shown.
            shown: whether it is shown at all; under torchrun only the first rank shows it.
            in_bytes: whether amounts are bytes.
            transient: whether the bar disappears at the end.
            clock: seconds, for tests.
        """
        super().__init__(*columns, console=console, transient=transient, disable=not (shown and console.is_terminal))
        self._writes_lines = shown and not console.is_terminal
        self._in_bytes, self._clock = in_bytes, clock
        self._last_line = clock()
        self._begun: tuple[float, float] | None = None

    def stop(self) -> None:
        """End the bar, if it was shown. Before version 15, rich printed an empty line even for a hidden one."""
        if not self.disable:
            super().stop()

    def update(self, task_id: TaskID, **values: Any) -> None:
        """Note the progress, as rich does; write a line if it is due."""
        super().update(task_id, **values)
        if not self._writes_lines:
            return
        task, now = self._tasks[task_id], self._clock()
        if self._begun is None:
            self._begun = now, task.completed  # what a continued run had done before says nothing of the speed
        elif now - self._last_line >= EVERY:
            seconds, done = now - self._begun[0], task.completed - self._begun[1]
            self._last_line = now
            try:
                self.console.print(
                    _line(task, done / seconds if seconds > 0 else 0.0, self._in_bytes),
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
            except BrokenPipeError:
                raise
            except OSError:  # a full disk must not end the work
                self._writes_lines = False


def speed_text(speed: float) -> str:
    """A speed in steps a second, or in seconds a step; empty for none."""
    if speed <= 0:
        return ""
    return f"{speed:,.1f}/s" if speed >= 1 else f"{1 / speed:,.1f} s each"


def remaining_text(seconds: float) -> str:
    """A remaining time in words: ``about 40 s left``, ``about 12 min left``, ``about 3 h 20 min left``."""
    if seconds < 90:
        return f"about {round(seconds)} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min left"


def _line(task: Task, speed: float, in_bytes: bool) -> str:
    size, unit = (1e6, " MB") if in_bytes else (1.0, "")
    done = f"{task.completed / size:,.0f}"
    parts = [f"{task.description}: {done}" + (f" of {task.total / size:,.0f}{unit}" if task.total else unit)]
    if speed > 0:
        parts.append(f"{speed / size:,.1f} MB/s" if in_bytes else speed_text(speed))
        if task.total and task.total > task.completed:
            parts.append(remaining_text((task.total - task.completed) / speed))
    parts += [str(task.fields[key]) for key in ("scores", "text") if task.fields.get(key)]
    return ", ".join(parts)
