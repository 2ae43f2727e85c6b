"""The cost of the lines of a table: parameters, images per second and memory, from ``cost.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from risbench import Run

from .lines import Line
from .notes import Notes

HEADS = ("Params (M)", "Images/s", "Memory (GiB)")


class Cost(NamedTuple):
    """The cost of one line; None where nothing was recorded.

    Attributes:
        parameters: of the network.
        images_per_second: all images divided by all seconds, with scoring and writing.
        memory_bytes: the largest peak; for runs on a GPU, of the GPU's memory.
        hardware: the machine, in words.
    """

    parameters: int | None = None
    images_per_second: float | None = None
    memory_bytes: int | None = None
    hardware: str | None = None

    def cells(self) -> tuple[float | None, ...]:
        """The figures in the units of `HEADS`."""
        return (
            None if self.parameters is None else self.parameters / 1e6,
            self.images_per_second,
            None if self.memory_bytes is None else self.memory_bytes / 2**30,
        )


def cost_of(line: Line) -> Cost:
    """The cost of a line's runs, over all its splits and seeds."""
    runs = [run for group in line.runs.values() for run in group]
    parts = [part for run in runs for part in run.cost()]
    if not parts:
        return Cost()
    seconds = sum(part["seconds"] for part in parts)
    gpu = _largest(parts, "peak_gpu_memory_bytes")
    return Cost(
        _largest(parts, "parameters"),
        sum(part["images"] for part in parts) / seconds if seconds else None,
        gpu if gpu is not None else _largest(parts, "peak_memory_bytes"),
        "; ".join(dict.fromkeys(hardware_of(run) for run in runs)),
    )


def hardware_marks(notes: Notes, costs: Sequence[Cost], place: int) -> tuple[str, ...]:
    """The marks for a line's hardware. If all lines ran on one machine, a note about the table is added instead."""
    hardware = costs[place].hardware
    if hardware is None:
        return ()
    text = f"Cost measured on {hardware}; images a second with reading, scoring and writing."
    if len({cost.hardware for cost in costs if cost.hardware}) > 1:
        return (notes.mark(text),)
    notes.add(text)
    return ()


def hardware_of(run: Run) -> str:
    """The machine of a run's last part."""
    part = run.about.provenance[-1]
    machine = part.machine
    cores = f"{machine.processor}, {machine.cores} cores"
    return f"{machine.gpu} ({cores})" if machine.gpu and part.device != "cpu" else cores


def _largest(parts: Sequence[dict[str, Any]], key: str) -> Any:
    return max((part[key] for part in parts if part.get(key) is not None), default=None)
