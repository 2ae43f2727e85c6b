"""Draws docs/architecture.svg from the imports that are really there: ``python docs/draw_architecture.py``.

The floors are those of the contract "layers of risbench" in pyproject.toml; the dots are measured by
``tests/structure/house.py``. Imports within functions count; imports for type checkers alone do not. The file is plain
text and the same for the same imports, so a test compares it.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

TOP = Path(__file__).resolve().parents[1]
PICTURE = TOP / "docs" / "architecture.svg"
GUESTS = ("baselines", "tris_model", "reports")
DOOR = "risbench"

# What happens on each floor, in few words; a floor that is not named here is drawn without.
DOES = {
    "baselines": "the methods that TRIS is compared with",
    "tris_model": "TRIS: its networks, its training",
    "reports": "tables, pictures, pages of runs",
    "risbench": "the public names, each loaded when first used",
    "risbench.cli": "the commands; decides nothing",
    "risbench.leaderboard": "entries, ranking, published figures",
    "risbench.scoring": "predictions that somebody brought",
    "risbench.running": "a method over a split",
    "risbench.scorer": "scores accumulated, mergeable",
    "risbench.statistics": "intervals, paired tests, slices",
    "risbench.results": "what a run leaves in its folder",
    "risbench.methods": "the contract of a method",
    "risbench.metrics": "metrics, and rules: one protocol a file",
    "risbench.datasets": "splits, their readers, drawn scenes",
    "risbench.plugins": "entry points, run-length codes, files",
    "risbench.faults": "what a stranger's code may raise",
    "risbench.plain": "text made fit to print",
    "risbench.records": "sample, box, prediction; error classes",
}
LEFT, WIDE, HIGH, CELL, HEAD = 40, 510, 34, 34, 130


class Floor(NamedTuple):
    """A row of the picture: modules of one height, which may not import one another if they are several."""

    modules: tuple[str, ...]

    @property
    def title(self) -> str:
        """The names without the package that all of them share."""
        return " · ".join(name.removeprefix("risbench.") for name in self.modules)

    @property
    def text(self) -> str:
        """What happens there."""
        return next((DOES[name] for name in self.modules if name in DOES), "")


def floors() -> list[Floor]:
    """The packages that stand on risbench, its door, then its floors from top to bottom."""
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["name"] == "layers of risbench")
    return [Floor((name,)) for name in (*GUESTS, DOOR)] + [Floor(tuple(line.split(" | "))) for line in layers]


def arrows(rows: list[Floor]) -> set[tuple[int, int]]:
    """Pairs of rows of which the first imports the second."""
    sys.path.insert(0, str(TOP / "tests" / "structure"))
    from house import House

    graph = House(TOP).graph
    row_of = {
        module: place
        for place, row in enumerate(rows)
        for name in row.modules
        if name in graph.modules
        for module in (name, *(graph.find_descendants(name) if name != DOOR else ()))
    }
    found = {
        (row_of[module], row_of[other])
        for module in row_of
        for other in graph.find_modules_directly_imported_by(module)
        if other in row_of
    }
    door = row_of[DOOR]  # inside risbench it is a package like any other, whose __init__ Python runs first
    return {(one, other) for one, other in found if one != other and (other != door or one < door)}


def drawn(rows: list[Floor], dots: set[tuple[int, int]]) -> str:
    """The picture as SVG."""
    across, down = LEFT + WIDE, HEAD + HIGH * len(rows)
    size = (across + CELL * len(rows) + 70, down + 14)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}" '
        'font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>',
        _text(LEFT, 40, "Who imports whom in risbench", 20, "#1a237e", bold=True),
        _text(LEFT, 64, "A dot: the row's floor imports the column's floor. Every dot lies to the", 13, "#555555"),
        _text(LEFT, 81, "right of the staircase: a floor imports only from the floors below it.", 13, "#555555"),
        _text(LEFT, 98, "Dashed: risbench finds these packages by entry points and imports none.", 13, "#555555"),
    ]
    for place, row in enumerate(rows):
        parts += _row(place, row, len(rows))
    for importer, imported in sorted(dots):
        x, y = across + CELL * imported + CELL // 2, HEAD + HIGH * importer + HIGH // 2
        parts.append(f'<circle cx="{x}" cy="{y}" r="6" fill="{"#3949ab" if imported > importer else "#c62828"}"/>')
    parts += _entry_points(rows)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(place: int, row: Floor, count: int) -> list[str]:
    guest = row.modules[0] in GUESTS
    y, across = HEAD + HIGH * place, LEFT + WIDE
    fill = "#fff3e0" if guest else "#e8eaf6" if place % 2 else "#f3f4fb"
    x = across + CELL * place
    name_at = (x + CELL // 2 + 4, HEAD - 8)
    return [
        f'<rect x="{LEFT}" y="{y}" width="{WIDE + CELL * count}" height="{HIGH - 2}" rx="4" fill="{fill}"/>',
        f'<rect x="{x + 3}" y="{y + 3}" width="{CELL - 6}" height="{HIGH - 8}" rx="3" fill="'
        + ("#ffcc80" if guest else "#9fa8da")
        + '"/>',
        _text(LEFT + 12, y + 21, row.title, 14, "#212121", bold=True),
        _text(LEFT + WIDE - 12, y + 21, row.text, 12, "#555555", anchor="end"),
        f'<g transform="rotate(-50 {name_at[0]} {name_at[1]})">'
        + _text(*name_at, row.title if len(row.modules) == 1 else f"{row.title.split(' · ')[0]} · …", 12, "#333333")
        + "</g>",
    ]


def _entry_points(rows: list[Floor]) -> list[str]:
    """A dashed line from the floors that load entry points up to the packages that they find there."""
    loaders = [place for place, row in enumerate(rows) if row.modules[0] in ("risbench.cli", "risbench.methods")]
    guests = [place for place, row in enumerate(rows) if row.modules[0] in GUESTS]
    middle = {place: HEAD + HIGH * place + HIGH // 2 - 1 for place in (*loaders, *guests)}
    x = LEFT - 18
    style = 'stroke="#ef6c00" stroke-width="1.6" stroke-dasharray="5 4" fill="none"'
    lines = [f'<path d="M {x} {middle[guests[0]]} V {middle[loaders[-1]]}" {style}/>']
    lines += [f'<path d="M {LEFT} {middle[place]} H {x}" {style}/>' for place in loaders]
    for place in guests:
        y = middle[place]
        lines.append(f'<path d="M {x} {y} H {LEFT - 6}" {style}/>')
        lines.append(f'<path d="M {LEFT - 7} {y - 4} L {LEFT} {y} L {LEFT - 7} {y + 4} Z" fill="#ef6c00"/>')
    return lines


def _text(x: int, y: int, words: str, size: int, fill: str, *, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'
    )


def picture() -> str:
    """The picture of today's imports."""
    rows = floors()
    return drawn(rows, arrows(rows))


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(TOP))
