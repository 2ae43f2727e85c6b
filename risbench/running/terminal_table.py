"""Print a table on a terminal of any width: no figure and no heading is cut, and no line is broken by the terminal.

A table that is too wide for the terminal is printed in blocks below each other. Each block repeats the first columns,
which name the rows. Into a pipe or a file the whole table is printed, however wide it is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

_WIDEST = 10_000  # characters
_NARROW = 8  # characters, to which a column of folded text may shrink
_NAME = 12  # characters of a name that may be folded, if the whole table then fits
_BORDERS = 3  # characters between two columns: a line and a space on each side


def print_table(console: Console, table: Table, keys: int = 1) -> None:
    """Print a table; see the module.

    Args:
        console: where it is printed. A pipe has no width, unless the environment variable COLUMNS gives one.
        table: its columns with figures are aligned to the right, and their cells are never broken. Its title, a text
            with markup, is printed above it.
        keys: how many of the first columns name a row.
    """
    if table.title is not None:  # rich would break it at the width of a narrow table
        console.print(f"[italic]{table.title}[/]", highlight=False, soft_wrap=not console.is_terminal)
        table.title = None
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdecimal():
        table.width = Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
        console.print(table, crop=False)
        return
    least = [_least(console, column) for column in table.columns]
    if _width(least) <= console.width:
        _print_block(console, table, least)
        return
    keys = min(keys, len(least) - 1)
    texts = [at for at in range(keys) if table.columns[at].justify != "right"]  # which may be folded
    named = _folded(least[:keys], texts, console.width - _width(least[keys:]) + 1, _NAME)
    if _width([*named, *least[keys:]]) > console.width:
        named = _folded(least[:keys], texts, console.width - max(least[keys:]) - _BORDERS, _NARROW)
    # Folded text may have a block of its own.
    room = console.width - _width(named) - _BORDERS
    widths = [*named, *(_in_a_block(console, table.columns[at], least[at], room) for at in range(keys, len(least)))]
    for places in _blocks(widths, keys, console.width):
        _print_block(console, _part(table, places, keys), [widths[place] for place in places])


def _least(console: Console, column: Column) -> int:
    """The width below which a column would break a figure, a word or its heading, in characters."""
    wide = console.options.update(width=_WIDEST)
    cells = [Measurement.get(console, wide, cell) for cell in column.cells]
    head = Measurement.get(console, wide, column.header).minimum
    if column.justify == "right" or column.no_wrap:
        return max([head, *(cell.maximum for cell in cells)])
    widest = max([head, *(cell.minimum for cell in cells)])
    return min(widest, max(head, _NARROW)) if column.overflow == "fold" else widest


def _in_a_block(console: Console, column: Column, least: int, room: int) -> int:
    if column.overflow != "fold" or column.justify == "right":
        return least
    wide = console.options.update(width=_WIDEST)
    natural = max(Measurement.get(console, wide, cell).maximum for cell in (column.header, *column.cells))
    return max(least, min(natural, room))


def _width(columns: Sequence[int]) -> int:
    return sum(columns) + _BORDERS * len(columns) + 1


def _folded(named: Sequence[int], texts: Sequence[int], room: int, narrowest: int) -> list[int]:
    """The widths of the columns that name the rows, those of texts folded into a room, but not below ``narrowest``."""
    found = list(named)
    while texts and _width(found) > room:
        longest = max(texts, key=found.__getitem__)
        if found[longest] <= narrowest:
            break
        found[longest] -= 1
    return found


def _blocks(widths: Sequence[int], keys: int, most: int) -> list[list[int]]:
    """The columns of each block, as indices: those that name the rows, and as many others as fit."""
    named = list(range(keys))
    blocks = [list(named)]
    for place in range(keys, len(widths)):
        if len(blocks[-1]) > keys and _width([widths[other] for other in (*blocks[-1], place)]) > most:
            blocks.append(list(named))
        blocks[-1].append(place)
    return blocks


def _part(table: Table, places: Sequence[int], keys: int) -> Table:
    """A table of some of the columns; the first ``keys`` may be folded."""
    part = Table()
    columns = [table.columns[place] for place in places]
    for number, column in enumerate(columns):
        folds = number < keys and column.justify != "right"
        part.add_column(
            column.header,
            justify=column.justify,
            overflow="fold" if folds else column.overflow,
            no_wrap=False if folds else column.no_wrap,
        )
    for row, cells in zip(table.rows, zip(*(column.cells for column in columns), strict=True), strict=True):
        part.add_row(*cells, end_section=row.end_section)
    return part


def _print_block(console: Console, table: Table, least: Sequence[int]) -> None:
    """Print a table whose columns are as wide as their text if there is room, and never narrower than ``least``."""
    wide = console.options.update(width=_WIDEST)
    widths = list(least)
    room = console.width - _width(least)
    for column, width in zip(table.columns, least, strict=True):
        column.width = max(width, *(Measurement.get(console, wide, c).maximum for c in (column.header, *column.cells)))
    while room > 0 and (short := [at for at, column in enumerate(table.columns) if widths[at] < (column.width or 0)]):
        widths[min(short, key=widths.__getitem__)] += 1
        room -= 1
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    table.width = _width(widths)  # without it rich would narrow the columns
    console.print(table, crop=False)
