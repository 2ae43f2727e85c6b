"""Which weights are kept: the last ones, or those that score best on labelled masks, as the authors choose."""

from __future__ import annotations

from pathlib import Path

import torch

from risbench.datasets.load import load_split
from risbench.errors import UsageError
from risbench.results.run import Run
from risbench.running.evaluation import evaluate

from ...files.checkpoint import save
from ...network.stage1 import Stage1
from ...network.stage2 import Stage2
from .ranks import rank


class Best:
    """Keeps the best weights so far, or none if the last ones are wanted.

    Attributes:
        value: the best score so far.
    """

    def __init__(self, select: str, val: str | None, out: Path, device: torch.device, data_root: Path | None):
        check_selection("recipe", select, val)
        self.value = -1.0
        self._metric = select.partition("_")[2]
        self._val = val
        self._out = out
        self._device = device
        self._data_root = data_root

    def offer(self, network: Stage1 | Stage2, epoch: int) -> None:
        """Score the network after an epoch and keep its weights if none were better."""
        if not self._metric or rank():
            return
        path = self._file(network)
        trial = path.with_name("trial.safetensors")
        save(network, trial)
        folder = self._out / f"stage{network.config.stage}" / f"val-{epoch:02}"
        run = validate(trial, str(self._val), folder, self._device, self._data_root)
        value = run.summary["metrics"][self._metric]["value"] or 0.0
        if value > self.value:
            self.value = value
            trial.replace(path)
        trial.unlink(missing_ok=True)

    def give(self, network: Stage1 | Stage2) -> None:
        """Put the kept weights into the network."""
        path = self._file(network)
        if self._metric and path.exists():
            from ...files.checkpoint import read

            network.load_state_dict(dict(read(path).state))

    def _file(self, network: Stage1 | Stage2) -> Path:
        return self._out / f"stage{network.config.stage}" / "best.safetensors"


def check_selection(table: str, select: str, val: str | None) -> None:
    """Refuse to choose weights by a split that is not named.

    Raises:
        UsageError: ``select`` looks at labels and there is no ``val``.
    """
    if select != "last" and val is None:
        raise UsageError(f"{table}.select = {select} needs a val split; set {table}.val, or {table}.select=last")


def validate(weights: Path, split: str, out: Path, device: torch.device, data_root: Path | None = None) -> Run:
    """A run of these weights on a split, below ``out``."""
    from ...inference.predictor import Tris

    method = Tris(str(weights), device=str(device))
    return evaluate(method, load_split(split, data_root), out=out, name="tris", device=str(device))
