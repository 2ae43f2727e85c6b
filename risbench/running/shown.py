"""The progress of a run that Python code starts: a bar in a terminal or a notebook, nothing elsewhere."""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from ..errors import UsageError
from ..plain import plain
from .bar import Bar
from .progress import Progress

OnProgress = Callable[[Progress], None]
_EVERY = 0.2  # seconds between two changes of a notebook's bar, which travel over a network


@contextmanager
def shown(progress: OnProgress | bool | None, title: str) -> Iterator[OnProgress | None]:
    """The function to call after every image.

    Args:
        progress: that function; or True for a bar, if stderr is a terminal or this is a notebook; False or None for
            none. Of several ranks only the first shows a bar.
        title: the text beside the bar.

    Raises:
        UsageError: ``progress`` is none of these.
    """
    if progress is None or progress is False:
        yield None
    elif progress is not True:
        if not callable(progress):
            raise UsageError(f"progress={progress!r:.40}: give True, False, or a function to call after every image")
        yield progress
    elif os.environ.get("RANK", "0") != "0":
        yield None
    elif (display := _display_of_notebook()) is not None:
        yield _NotebookBar(display, title)
    else:
        with _terminal_bar(title) as on_progress:
            yield on_progress


@contextmanager
def _terminal_bar(title: str) -> Iterator[OnProgress | None]:
    console = Console(stderr=True, force_jupyter=False)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task(plain(title, 60), total=None, scores="")
        yield lambda state: bar.update(task, completed=state.done, total=state.total, scores=_scores(state))


class _NotebookBar:
    """A bar in the output of a notebook's cell, changed in place."""

    def __init__(self, display: Callable[..., Any], title: str) -> None:
        self._title = plain(title, 60)
        self._handle = display(self._shown(0, 0, ""), raw=True, display_id=True)
        self._last = 0.0

    def __call__(self, state: Progress) -> None:
        now = time.monotonic()
        if state.done >= state.total or now - self._last >= _EVERY:
            self._last = now
            self._handle.update(self._shown(state.done, state.total, _scores(state)), raw=True)

    def _shown(self, done: int, total: int, scores: str) -> dict[str, str]:
        text = f"{self._title}: {done}/{total} images  {scores}" if total else f"{self._title}: starting"
        bar = f'<progress value="{done}" max="{total or 1}" style="width:16em"></progress>'
        return {"text/plain": text, "text/html": f"{bar} {html.escape(text)}"}


def _scores(state: Progress) -> str:
    return f"mIoU {100 * state.miou:.1f}  oIoU {100 * state.oiou:.1f}"


def _display_of_notebook() -> Callable[..., Any] | None:
    """IPython's function that shows an object, if this code runs in a notebook; IPython is never imported for it."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if get_shell is not None else None
    # A shell in a terminal has no kernel; there the terminal's bar is shown.
    if getattr(shell, "kernel", None) is None:
        return None
    return import_module("IPython.display").display
