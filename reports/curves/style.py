"""The style of curves: Okabe and Ito's colours, each with a dash and a marker, and type for a paper's column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

WIDTH, HEIGHT = 3.35, 2.6  # inches of a panel: a column of a two-column paper
_LINE = 0.135  # inches of a caption line
_BELOW = 0.42  # inches from the axes to a legend below them: the ticks and the label
_LONGEST = 34  # letters of a name in a legend
# Okabe & Ito (2008), without yellow, which is not visible on white paper; black is last, because it is conspicuous.
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
}


def look_of(place: int) -> dict[str, Any]:
    """Colour, dash and marker of the n-th line. The first 7 lines have different colours, the first 35 all differ."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def labelled(cell: Any, title: str, across: str, up: str) -> None:
    """Set the title and the axis labels; dollar signs in data do not start mathematics."""
    cell.set_title(title, parse_math=False)
    cell.set_xlabel(across, parse_math=False)
    cell.set_ylabel(up, parse_math=False)


def legend(cell: Any, width: float = WIDTH) -> None:
    """Put a legend with plain text below the axes, where it hides no curve; long names are cut.

    Args:
        cell: the axes.
        width: the inches that the legend may fill.
    """
    from matplotlib.transforms import ScaledTranslation

    handles, labels = cell.get_legend_handles_labels()
    if not handles:
        return
    titles = [_short(label) for label in labels]
    below = cell.transAxes + ScaledTranslation(0, -_BELOW, cell.figure.dpi_scale_trans)
    found = cell.legend(
        handles,
        titles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        ncols=_columns(titles, width),
        borderaxespad=0,
        columnspacing=1.2,
    )
    for text in found.get_texts():
        text.set_parse_math(False)


def legend_height(labels: Iterable[str], width: float) -> float:
    """The inches that `legend` needs below axes of a width in inches; 0 without labels."""
    titles = [_short(label) for label in labels]
    return -(-len(titles) // _columns(titles, width)) * 0.135 + 0.06 if titles else 0.0


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else title[: _LONGEST - 1] + "…"


def _columns(titles: Sequence[str], width: float) -> int:
    """How many names fit beside each other: a letter of 7 points is 0.055 inches wide, a line's sample 0.4."""
    each = 0.055 * max(map(len, titles), default=1) + 0.45
    return max(1, min(len(titles), int(width / each)))


@contextmanager
def drawing(width: float, height: float, caption: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """A figure with a caption, and its area above the caption; the user's matplotlib settings are ignored."""
    from matplotlib.figure import Figure
    from matplotlib.style import context

    with context(["default", _SETTINGS]):
        if not caption:
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure, figure.subfigures(1, 1)
            return
        below = _LINE * (len(caption) + 1)
        figure = Figure(figsize=(width, height + below), layout="constrained")
        area, foot = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, below))[:, 0]
        foot.text(
            0.02, 0.98, "\n".join(caption), fontsize=6.5, va="top", color="#444444", linespacing=1.35, parse_math=False
        )
        yield figure, area
