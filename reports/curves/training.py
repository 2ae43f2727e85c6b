"""A training's log: every term over its steps, one panel a term, one line a log."""

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
_MANY = 150  # steps above which a mean over neighbours is drawn on the values


class Log:
    """One ``log.jsonl``.

    Attributes:
        title: what tells it from the other logs.
        notes: what a reader must know of it.
        across: what its steps are called.
        terms: steps and values of each term, in the order of the file.
    """

    def __init__(self, path: Path, title: str) -> None:
        """Read a file of one JSON object a line; a half last line, as a running training leaves it, is passed over.

        Raises:
            DataError: not such a file, or one without numbers.
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
                # A gap in the line shows where a term was no finite number.
                values.append(value if math.isfinite(value) else math.nan)
                lost += not math.isfinite(value)
        if not self.terms:
            raise DataError(f"{path}: no line holds a number: is it a training's log.jsonl?")
        if lost:
            self.notes.append(f"{title}: {lost} values are not finite numbers; the lines have gaps there.")

    @staticmethod
    def read_all(paths: Sequence[Path]) -> list[Log]:
        """Logs by the names of their folders, or by their whole paths where those are the same."""
        short = [real(path).parent.name if path.stem == "log" else path.stem for path in paths]
        titles = short if len(set(short)) == len(paths) else [str(path) for path in paths]
        return [Log(path, title) for path, title in zip(paths, titles, strict=True)]

    @staticmethod
    def terms_of(logs: Sequence[Log]) -> list[str]:
        """Every term that any log has, once."""
        return list(dict.fromkeys(term for log in logs for term in log.terms))


def draw_term(cell: Any, logs: Sequence[Log], term: str) -> None:
    """One line a log; of a long one the values faintly, and firmly their running mean."""
    for place, log in enumerate(logs):
        if term not in log.terms:
            continue
        steps, values = (np.array(found, dtype=np.float64) for found in log.terms[term])
        look = {**look_of(place), "marker": "." if len(steps) < 40 else None}
        if len(steps) > _MANY:
            cell.plot(steps, values, color=look["color"], alpha=0.3, linewidth=0.6)
            values = running_mean(values, len(values) // 40)
        cell.plot(steps, values, label=log.title, **look)
    across = ", ".join(dict.fromkeys(log.across for log in logs if term in log.terms))
    labelled(cell, term, across, "")
    if len(logs) > 1:
        legend(cell, loc="best")


def running_mean(values: np.ndarray, reach: int) -> np.ndarray:
    """The mean over ``reach`` neighbours on either side, fewer at the ends; what is NaN counts as not there."""
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
    """The numbers of an object, also of objects within it; texts and truth values are no terms."""
    found: dict[str, float] = {}
    for key, value in line.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{before}{key}."))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[before + key] = float(value)
    return found
