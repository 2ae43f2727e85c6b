"""Select the weights to keep: the last ones, or those with the best validation score, as the authors do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from risbench.errors import UsageError
from risbench.results.run import Run

from ...files.checkpoint import read
from .ranks import rank


class Best:
    """Keeps the best weights so far; keeps none if the last ones are selected.

    Attributes:
        value: the best score so far.
    """

    def __init__(self, select: str, folder: Path, write: Callable[[Path], object], run: Callable[[Path, Path], Run]):
        """Prepare.

        Args:
            select: ``last``, or ``val_METRIC`` with a metric of the run's summary.
            folder: the stage's folder, for ``best.safetensors`` and a run folder ``val-NN`` per epoch.
            write: writes the network's weights to a file.
            run: evaluates a weights file on the validation split and writes the run to a folder.
        """
        self.value = -1.0
        self._metric = select.partition("_")[2]
        self._folder = folder
        self._write = write
        self._run = run

    def offer(self, epoch: int) -> None:
        """Score the network after an epoch, and keep its weights if none were better."""
        if not self._metric or rank():
            return
        trial = self._folder / "trial.safetensors"
        self._write(trial)
        run = self._run(trial, self._folder / f"val-{epoch:02}")
        value = run.summary["metrics"][self._metric]["value"] or 0.0
        if value > self.value:
            self.value = value
            trial.replace(self._folder / "best.safetensors")
        trial.unlink(missing_ok=True)

    def give(self, network: nn.Module) -> None:
        """Load the kept weights into the network."""
        path = self._folder / "best.safetensors"
        if self._metric and path.exists():
            network.load_state_dict(dict(read(path).state))


def check_selection(table: str, select: str, val: str | None) -> None:
    """Refuse a selection by validation scores without a validation split.

    Raises:
        UsageError: ``select`` needs ``val``, and it is not set.
    """
    if select != "last" and val is None:
        raise UsageError(f"{table}.select = {select} needs a val split; set {table}.val, or {table}.select=last")
