"""Scores by kind of expression: a table of parts, and a point with its interval for each part and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench import Run
from risbench.metrics.metric import Metric
from risbench.metrics.metric_names import parse_all, refuse_generalised
from risbench.plain import plain
from risbench.statistics.breakdown import BY, Part, break_down, parts_of_split
from risbench.statistics.slices import places_of

from ..about import split_of_runs, titles_of
from ..curves.style import WIDTH, labelled, legend, legend_height, look_of
from .result import BrokenDown, PanelPicture, PartColumn, Value, columns_of_runs

_LABEL = 1.5  # inches for the names of the parts
_PART = 24  # letters of a part's name in a picture


def part_breakdown(runs: Sequence[Run], by: str, metrics: str | None, data_root: Path | None) -> BrokenDown:
    """Each run's scores on each part of ``by``, a key of `risbench.statistics.breakdown.BY`.

    Without ``metrics``, one run has mIoU, oIoU and P@0.5, several have mIoU.
    """
    rows, notes = columns_of_runs(runs)
    summary = runs[0].summary
    refuse_generalised(metrics, summary.get("without_mask", 0), summary["split"])
    chosen = parse_all(metrics or ("mIoU,oIoU,P@0.5" if len(runs) == 1 else "mIoU"))
    split = split_of_runs(runs, data_root)
    parts = break_down(rows, parts_of_split(split, places_of(split, rows[0].ids), by), chosen)
    titles = titles_of(runs)
    columns = [PartColumn("part", by), PartColumn("expressions", "expressions"), PartColumn("images", "images")]
    for place, title in enumerate(titles):
        for metric in chosen:
            both = metric.name if len(runs) == 1 else title if len(chosen) == 1 else f"{title} {metric.name}"
            columns.append(PartColumn(f"{title} {metric.name}", both, True, place))
    lines = [_line(part, chosen) for part in parts]
    what = f"By {by}: {BY[by]}."
    if by in ("position", "words"):
        what += " Known from short English lists of words."
    if len(runs) > 1 and len(chosen) == 1:
        what += f" Figures are {chosen[0].name}."
    height = 0.75 + len(parts) * (0.16 + 0.1 * len(runs)) + legend_height(titles if len(runs) > 1 else [], WIDTH)
    panels = [_panel(parts, titles, metric, place == 0) for place, metric in enumerate(chosen)]
    width = _LABEL + max(2.6, WIDTH - _LABEL + 0.6) + 1.7 * (len(chosen) - 1)
    return BrokenDown(
        by=by,
        title=f"{', '.join(metric.name for metric in chosen)} by {by}",
        split=summary["split"],
        rules=summary["rules"]["name"],
        runs=tuple(titles),
        columns=tuple(columns),
        rows=tuple(lines),
        notes=(what, *notes, "Intervals: 95 % over images."),
        picture=PanelPicture(width, height, panels, shared=True),
    )


def _line(part: Part, metrics: Sequence[Metric]) -> tuple[Value, ...]:
    shares = [figures[metric.name] for figures in part.figures for metric in metrics]
    return (part.name, part.expressions, part.images, *shares)


def _panel(parts: Sequence[Part], titles: Sequence[str], metric: Metric, is_first: bool) -> Any:
    def panel(cell: Any) -> None:
        for place, title in enumerate(titles):
            look = {**look_of(place), "linestyle": "none"}
            # The runs of one part stand below each other, in their order.
            shift = 0.6 * ((place + 0.5) / len(titles) - 0.5)
            there = [(at + shift, part.figures[place][metric.name]) for at, part in enumerate(parts)]
            there = [(at, figure) for at, figure in there if figure["value"] is not None]
            values = [100 * figure["value"] for _, figure in there]
            cell.plot(values, [at for at, _ in there], label=title, **look)
            bounds = [(at, figure) for at, figure in there if figure["low"] is not None]
            cell.hlines(
                [at for at, _ in bounds],
                [100 * figure["low"] for _, figure in bounds],
                [100 * figure["high"] for _, figure in bounds],
                color=look["color"],
                linewidth=1.1,
            )
        cell.axhline(0.5, color="#888888", linewidth=0.6)
        cell.grid(axis="y", visible=False)
        cell.set_yticks(range(len(parts)), [f"{plain(part.name, _PART)}  ({part.expressions})" for part in parts])
        for text in cell.get_yticklabels():
            text.set_parse_math(False)
        cell.set_ylim(len(parts) - 0.5, -0.5)
        cell.set_xlim(left=0)
        labelled(cell, "", f"{metric.name}, %", "")
        if len(titles) > 1 and is_first:
            legend(cell)

    return panel
