"""Scores over the threshold that cuts the heats: how much a method depends on the choice of its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench import Run, Split
from risbench.plain import counted

from ..letters import wrapped
from ..picture import save
from .style import HEIGHT, WIDTH, drawing, labelled, legend, legend_height, look_of


def sweep_of(run: Run, split: Split) -> Any:
    """mIoU and P@0.5 of a run's saved heats at each threshold, by the run's own rules."""
    from risbench.scoring.sweep import sweep  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    return sweep(run.path, split, rules=run.summary["rules"]["name"], metrics="mIoU,P@0.5", allow_missing=True)


def draw_sweep(cell: Any, swept: Sequence[tuple[int, str, Any]]) -> None:
    """Draw two lines for each run, mIoU thick and P@0.5 thin.

    Args:
        cell: the axes.
        swept: each run's index among all runs, its title and its sweep.
    """
    top = 10.0
    for place, title, found in swept:
        look = look_of(place)
        for turn, (name, line, size) in enumerate((("mIoU", "-", 4), ("P@0.5", (0, (2, 1)), 0))):
            value = [100 * values[turn] for values in found.values]
            low = [100 * values[turn] for values in found.low]
            high = [100 * values[turn] for values in found.high]
            more = {"linestyle": line, "markersize": size, "linewidth": 1.4 if turn == 0 else 1.0}
            cell.plot(found.thresholds, value, label=f"{title}, {name}", **{**look, **more})
            top = max([top, *value, *(bound for bound in high if bound == bound)])
            cell.fill_between(found.thresholds, low, high, color=look["color"], alpha=0.15, linewidth=0)
    # The axis ends a little above the best curve, so that the maximum of a weak method is visible too.
    cell.set_ylim(0, min(101, 1.3 * top))
    rules = ", ".join(dict.fromkeys(found.rules for _, _, found in swept))
    labelled(cell, f"Heats cut at a threshold, rules {rules}", "threshold, in the rules' units", "%")
    legend(cell)


def draw_found(found: Any, title: str, out: Path, notes: Sequence[str] = ()) -> None:
    """Draw every metric of one sweep, with the best threshold of the first one marked; ``out`` is a PNG, PDF or SVG."""
    best = found.best()
    peak = (
        f"{found.metrics[0]} is the same at each threshold"
        if best is None or not found.level()
        else f"Best {found.metrics[0]} {100 * found.values[best][0]:.2f} at {found.thresholds[best]:g}"
        f"{found.also_best()}"
    )
    about = (
        f"Split {found.split}{' (PARTIAL)' if found.partial else ''}, "
        f"{counted(found.expressions, 'expression')}, rules {found.rules}. {peak}. Bands: 95 % intervals over images."
    )
    caption = [line for note in (about, *notes) for line in wrapped(note, 92).split("\n")]
    with drawing(1.5 * WIDTH, 1.2 * HEIGHT + legend_height(found.metrics, 1.5 * WIDTH), caption) as (figure, area):
        cell = area.subplots()
        for turn, name in enumerate(found.metrics):
            value, low, high = ([100 * line[turn] for line in table] for table in (found.values, found.low, found.high))
            look = look_of(turn)
            cell.plot(found.thresholds, value, label=name, **look)
            cell.fill_between(found.thresholds, low, high, color=look["color"], alpha=0.15, linewidth=0)
        if best is not None:
            cell.axvline(found.thresholds[best], color="#888888", linewidth=0.8, linestyle=":")
        top = max((100 * bound for line in found.high for bound in line if bound == bound), default=101)
        cell.set_ylim(0, min(101, 1.1 * max(top, 1)))
        labelled(cell, title, "threshold, in the rules' units", "%")
        legend(cell, 1.5 * WIDTH)
        save(figure, out)
