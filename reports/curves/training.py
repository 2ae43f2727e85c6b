"""Logs of trainings: one panel for each logged term, with one line for each log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError
from risbench.io.plainfiles import real
from risbench.results.jsonlines import object_in

from .style import labelled, legend, look_of

_STEPS = ("step", "iteration", "iter", "epoch")
# Units of what our trainers log, for the vertical axis; other numbers are drawn as they are logged.
_UNITS = {
    "lr": "learning rate",
    "images_per_second": "images / s",
    "memory": "peak memory, MiB",
    "seconds": "s since the line before",
}
_SCORES = ("mIoU", "oIoU", "P@", "PointIt", "PointM", "Accbox")  # fractions
_ACROSS = {"step": "training step", "iteration": "iteration", "iter": "iteration", "line": "line of the log"}
_MANY = 150  # steps above which a mean over neighbours is drawn on the values


class Log:
    """One ``log.jsonl``.

    Attributes:
        title: its name, different from those of the other logs.
        notes: notes for the caption.
        across: the name of its steps, such as ``step`` or ``epoch``.
        terms: steps and values of each term, in the order of the file.
    """

    def __init__(self, path: Path, title: str) -> None:
        """Read a file with one JSON object in each line; an incomplete last line, still being written, is skipped.

        Raises:
            DataError: it is not such a file, or it has no numbers.
        """
        self.title = title
        self.notes: list[str] = []
        self.terms: dict[str, tuple[list[float], list[float]]] = {}
        lines = [(number, _flat(line)) for number, line in _lines(path)]
        self.across = next((key for key in _STEPS if lines and all(key in line for _, line in lines)), "line")
        lost = 0
        for number, line in lines:
            step = line.pop(self.across, float(number))
            for name, value in line.items():
                if name in _STEPS:
                    continue
                steps, values = self.terms.setdefault(name, ([], []))
                steps.append(step)
                # A value that is not finite becomes a gap in the line.
                values.append(value if math.isfinite(value) else math.nan)
                lost += not math.isfinite(value)
        if not self.terms:
            raise DataError(f"{path}: no line holds a number: is it a training's log.jsonl?")
        if lost:
            self.notes.append(f"{title}: {lost} values are not finite numbers; the lines have gaps there.")

    @staticmethod
    def read_all(paths: Sequence[Path]) -> list[Log]:
        """Read logs, named after their folders; if two names are the same, the folders above them are added."""
        names = [real(path).parent.parts if path.stem == "log" else real(path.with_suffix("")).parts for path in paths]
        for count in range(1, max(map(len, names), default=1) + 1):
            titles = ["/".join(parts[-count:]) for parts in names]
            if len(set(titles)) == len(paths):
                break
        else:
            titles = [str(path) for path in paths]
        return [Log(path, title) for path, title in zip(paths, titles, strict=True)]

    @staticmethod
    def terms_of(logs: Sequence[Log]) -> list[str]:
        """The terms of all logs, each once."""
        return list(dict.fromkeys(term for log in logs for term in log.terms))


def draw_term(cell: Any, logs: Sequence[Log], term: str) -> None:
    """Draw one line for each log; for a long log the values faint, and their running mean over them."""
    for place, log in enumerate(logs):
        if term not in log.terms:
            continue
        steps, values = (np.array(found, dtype=np.float64) for found in log.terms[term])
        look = {**look_of(place), "marker": "." if len(steps) < 40 else None}
        if len(steps) > _MANY:
            cell.plot(steps, values, color=look["color"], alpha=0.3, linewidth=0.6)
            values = running_mean(values, len(values) // 40)
        cell.plot(steps, values, label=log.title, **look)
    across = dict.fromkeys(_ACROSS.get(log.across, log.across) for log in logs if term in log.terms)
    labelled(cell, term, ", ".join(across), unit_of(term))
    if len(logs) > 1:
        legend(cell)


def unit_of(term: str) -> str:
    """The label of a term's vertical axis, with its unit."""
    name = term.rpartition(".")[2]
    if name in _UNITS:
        return _UNITS[name]
    if name.startswith(_SCORES):
        return "score, a fraction"
    return "loss, no unit" if name == "loss" or name.endswith("_loss") else "value as logged"


def running_mean(values: np.ndarray, reach: int) -> np.ndarray:
    """The mean over ``reach`` neighbours on either side, fewer at the ends; NaN values are ignored."""
    there = np.isfinite(values)
    total = np.concatenate([[0], np.cumsum(np.where(there, values, 0))])
    count = np.concatenate([[0], np.cumsum(there)])
    at = np.arange(len(values))
    first, last = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    number = count[last] - count[first]
    return np.divide(total[last] - total[first], number, out=np.full(len(values), np.nan), where=number > 0)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with their line numbers; a last line still being written is left out."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.endswith(b"\n") and raw.strip():
                    yield number, object_in(raw, path, number)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _flat(line: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """The numbers of an object and of the objects in it; texts and booleans are ignored."""
    found: dict[str, float] = {}
    for key, value in line.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{before}{key}."))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[before + key] = float(value)
    return found
