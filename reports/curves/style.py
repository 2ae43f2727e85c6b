"""How curves look: Okabe and Ito's colours with a dash and a marker each, type that reads at a column's width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

WIDTH, HEIGHT = 3.35, 2.6  # inches of a panel: a column of a two-column paper
_LINE = 0.135  # inches of a caption line
# Okabe & Ito (2008), without the yellow that white paper swallows; black last, for it draws the eye.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_SETTINGS = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "pdf.fonttype": 42,  # outlines as type, which publishers ask for
}


def look_of(place: int) -> dict[str, Any]:
    """Colour, dash and marker of the n-th line; no two of the first seven share a colour, nor 35 all three."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def labelled(cell: Any, title: str, across: str, up: str) -> None:
    """Title and axes; data hold no mathematics, whatever dollar signs they have."""
    cell.set_title(title, parse_math=False)
    cell.set_xlabel(across, parse_math=False)
    cell.set_ylabel(up, parse_math=False)


def legend(cell: Any, **more: Any) -> None:
    """The names of the lines, read as plain text and cut where they would hide the curves."""
    found = cell.legend(**more)
    for text in found.get_texts():
        text.set_parse_math(False)
        title = text.get_text()
        text.set_text(title if len(title) <= 34 else title[:33] + "…")


@contextmanager
def drawing(width: float, height: float, caption: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """A figure and the part of it above its caption; the reader's own matplotlib settings change nothing."""
    from matplotlib.figure import Figure
    from matplotlib.style import context

    with context(["default", _SETTINGS]):
        below = _LINE * (len(caption) + 1)
        figure = Figure(figsize=(width, height + below), layout="constrained")
        area, foot = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, below))[:, 0]
        foot.text(
            0.02, 0.98, "\n".join(caption), fontsize=6.5, va="top", color="#444444", linespacing=1.35, parse_math=False
        )
        yield figure, area
