"""How many masks are right, partial, on a wrong object, on the background or empty: counts, and a stacked bar a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, Run
from risbench.plain import plain
from risbench.statistics.breakdown import share
from risbench.statistics.failures import OUTCOMES, failures_of

from ..about import split_of_runs, titles_of
from ..curves.style import WIDTH, labelled, legend, legend_height
from .result import BrokenDown, PanelPicture, PartColumn, columns_of_runs

# Okabe and Ito's colours, from right (green) to empty (dark grey); numbers stand in the bars.
_COLOURS = {
    "right": "#009E73",
    "partial": "#56B4E9",
    "same_class": "#E69F00",
    "other_object": "#D55E00",
    "background": "#BBBBBB",
    "empty": "#555555",
}
_DARK = ("right", "other_object", "empty")
_NARROWEST = 5.0  # percent of a bar's segment that has room for its number
_WIDTH = 1.4 * WIDTH
DEFINITIONS = (
    "right: IoU is at least 50 %, as P@0.5 counts it. A mask lies on an object if their IoU is at least 10 % or half "
    "of the mask's pixels are the object's; of several objects, the one with the largest IoU counts. partial: on the "
    "true object; wrong object of the same class, other object: on another one; background: on no annotated object; "
    "empty: no pixel or no prediction."
)


def failure_breakdown(runs: Sequence[Run], data_root: Path | None) -> BrokenDown:
    """The outcomes of `risbench.statistics.failures`, counted for each run.

    Raises:
        DataError: no expression has a true mask.
    """
    rows, notes = columns_of_runs(runs)
    split = split_of_runs(runs, data_root)
    found = failures_of(split, runs, rows)
    if not len(found.ids):
        raise DataError("--by failure needs true masks, but no expression of these runs has one")
    titles = titles_of(runs)
    counts = [Counter({kind: int((of == code).sum()) for code, kind in enumerate(OUTCOMES)}) for of in found.classes]
    columns = [PartColumn("outcome", "outcome")]
    for place, title in enumerate(titles):
        before = "" if len(runs) == 1 else f"{title} "
        columns.append(PartColumn(f"{title} expressions", f"{before}expressions", run=place))
        columns.append(PartColumn(f"{title} share", f"{before}share" if len(runs) == 1 else title, True, place))
    lines = []
    for code, name in enumerate(OUTCOMES.values()):
        cells: list[Any] = [name]
        for of in found.classes:
            cells += [int((of == code).sum()), share(of == code, found.images)]
        lines.append(tuple(cells))

    def panel(cell: Any) -> None:
        _draw(cell, titles, counts, len(found.ids))

    return BrokenDown(
        by="failure",
        title="What is wrong with the masks",
        split=split.name,
        rules=runs[0].summary["rules"]["name"],
        runs=tuple(titles),
        columns=tuple(columns),
        rows=tuple(lines),
        notes=(DEFINITIONS, *(f"{note}." for note in found.notes()), *notes, "Intervals: 95 % over images."),
        picture=PanelPicture(_WIDTH, 0.8 + 0.27 * len(runs) + legend_height(OUTCOMES.values(), _WIDTH), [panel]),
    )


def _draw(cell: Any, titles: Sequence[str], counts: Sequence[Counter[str]], total: int) -> None:
    left = np.zeros(len(titles))
    for kind, name in OUTCOMES.items():
        widths = np.array([100 * count[kind] / total for count in counts])
        colour = _COLOURS[kind]
        cell.barh(
            range(len(titles)), widths, 0.72, left=left, color=colour, edgecolor="white", linewidth=0.6, label=name
        )
        for place, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width >= _NARROWEST:
                ink = "white" if kind in _DARK else "black"
                cell.text(start + width / 2, place, f"{width:.0f}", ha="center", va="center", fontsize=6.5, color=ink)
        left = left + widths
    cell.set_yticks(range(len(titles)), [plain(title, 26) for title in titles])
    for text in cell.get_yticklabels():
        text.set_parse_math(False)
    cell.set_ylim(len(titles) - 0.5, -0.5)
    cell.set_xlim(0, 100)
    cell.grid(visible=False)
    labelled(cell, "", f"% of {total} expressions", "")
    legend(cell, _WIDTH)
