"""A training's log file, progress bar, and state for continuing.

A killed training loses at most the steps since its last state. When it continues, it writes the same curve, because the
order of the data depends only on the seed and the step.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from risbench.errors import DataError
from risbench.io import plainfiles
from risbench.io.atomic import replace, sweep_parts
from risbench.results.provenance import provenance
from risbench.running.bar import Bar
from risbench.running.interrupts import STOPPED, stop_requested
from risbench.running.loop import Stopped as Stopped
from risbench.running.tracking import track

from ...files.checkpoint import reason_of
from .ranks import rank, world
from .renamed import current_text

console = Console(stderr=True)
ONE_CTRL_C = 5.0  # seconds within which torchrun's processes hear one Ctrl-C more than once


class Journal:
    """The log and the state of one stage, in a folder.

    Attributes:
        folder: the folder of ``log.jsonl``, ``starts.jsonl`` (command, commit and machine of every start) and, until
            the stage is finished, ``state.pt``.
        writes: whether this rank writes files; True only on the first rank.
    """

    def __init__(self, folder: Path, *, every: float = 60.0, writes: bool = True):
        self.folder = folder
        self.writes = writes
        self._every = every
        self._saved = self._logged = time.monotonic()
        if writes:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
            _append(folder / "starts.jsonl", json.dumps(provenance()))

    def resume(self, recipe: str, load: Callable[[Mapping[str, Any]], None], kind: type = object) -> int:
        """The step to continue from; 0 for a new training.

        Args:
            recipe: the recipe as text; a state of another recipe is refused.
            load: loads the state into networks and optimisers.
            kind: the record class of the recipe, which knows old names of its keys.
        """
        path = self.folder / "state.pt"
        self._sweep()  # what a training left that was killed while it wrote
        if not path.exists():
            self.forget(0)  # what was done before the first state is done again
            return 0
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise DataError(f"{path} is broken ({str(error)[:80]}); remove it to start again") from None
        if recipe not in (state["recipe"], current_text(kind, state["recipe"])):
            raise DataError(f"{path} belongs to another recipe; give another --out, or remove it to start again")
        load(state)
        step = int(state["step"])
        self.forget(step)
        return step

    def forget(self, step: int) -> None:
        """Remove log lines from ``step`` on, because they will be written again."""
        path = self.folder / "log.jsonl"
        if self.writes and path.exists():
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            kept = [line for line in lines if json.loads(line)["step"] < step]
            content = "".join(line + "\n" for line in kept).encode()
            with writing(path):
                replace(path, lambda file: file.write(content))

    def log(self, step: int, **terms: Any) -> None:
        """Append a line; ``seconds`` is the time since the previous line, or since this start."""
        if self.writes:
            now = time.monotonic()
            line = {"step": step, **{key: _short(value) for key, value in terms.items()}}
            line["seconds"] = round(now - self._logged, 3)
            self._logged = now
            _append(self.folder / "log.jsonl", json.dumps(line))
            track(self.folder, step, line)

    def keep(self, step: int, recipe: str, state: Callable[[], Mapping[str, Any]], *, now: bool = False) -> None:
        """Write the state if it is due; the file is written completely or not at all."""
        if self.writes and (now or time.monotonic() - self._saved > self._every):
            path = self.folder / "state.pt"
            held = {"recipe": recipe, "step": step, **state()}
            try:
                replace(path, lambda file: torch.save(held, file), durable=False)
            except (OSError, RuntimeError) as error:  # torch has an error of its own for a full disk
                raise _cannot_write(path, error) from None
            self._saved = time.monotonic()

    def done(self) -> None:
        """Remove the state, because the stage is finished."""
        if self.writes:
            (self.folder / "state.pt").unlink(missing_ok=True)
            self._sweep()

    def _sweep(self) -> None:
        """Remove incomplete states; an older version called them ``state.pt.part``."""
        sweep_parts(self.folder, "state.pt")
        (self.folder / "state.pt.part").unlink(missing_ok=True)


def _append(path: Path, line: str) -> None:
    """Append a line, but never through a link, because the folder may come from someone else."""
    with writing(path), plainfiles.open_to_write(path, "append") as file:
        file.write(line.encode() + b"\n")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A context that turns errors of writing, such as a full disk, into an error that names the file.

    Raises:
        DataError: instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be written: {reason_of(error)}; run the same command again to continue")


def _short(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.item()
    return float(f"{value:.6g}") if isinstance(value, float) else value


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or SIGTERM requests a stop after the current step; a second one stops at once.

    Under torchrun one Ctrl-C reaches each process twice, from the terminal and from torchrun. If the second signal
    counted, this rank would stop at once, and the others would wait for it. So a second signal counts only some seconds
    later. All ranks get the request, and the first rank prints a message.

    Raises:
        Stopped: another rank got the request earlier and has ended, so ranks can no longer communicate.
    """
    with stop_requested(
        lambda: None if rank() else console.print("stopping after this step (Ctrl-C again to stop at once)"),
        grace=ONE_CTRL_C if "TORCHELASTIC_RUN_ID" in os.environ else 0.0,
    ) as stopping:
        try:
            yield stopping
        except RuntimeError as error:
            if world() > 1 and stopping():
                raise Stopped(STOPPED) from error
            raise


@contextmanager
def bar(title: str, total: int, start: int = 0, shown: bool = True) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on stderr with steps, time left and a text; nothing if stderr is not a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )  # fmt: skip
    with Bar(*columns, console=console, disable=not (shown and console.is_terminal)) as progress:
        task = progress.add_task(title, total=total, completed=start, text="")
        yield lambda done, text: progress.update(task, completed=done, text=text)


def memory(device: torch.device) -> float:
    """Peak memory in MiB, of the GPU or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak(device: torch.device) -> None:
    """Reset the GPU's peak for :func:`memory`, so that each stage has its own. A process's peak cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
