"""A table on a terminal of any width holds every figure and heading whole."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from risbench.running.terminal_table import print_table

HEADS = ("first %", "second %", "difference", "95 % interval", "p (Holm)")
ROWS = [
    ("mIoU", "clip_gradcam", "random_same_class", "100.00", "43.21", "+56.79 *", "+40.12 to +60.21", "<0.001"),
    ("PointIt", "a very long name of a method", "tris", "1.50", "–", "–", "", "untested"),
]


def printed(width: int, table: Table, keys: int = 1, terminal: bool = True) -> list[str]:
    stream = io.StringIO()
    print_table(Console(file=stream, width=width, force_terminal=terminal, color_system=None), table, keys)
    return stream.getvalue().splitlines()


def compared() -> Table:
    table = Table(title="A title that is much longer than a narrow terminal: one [bold]minus[/] the other")
    for column in ("metric", "first", "second"):
        table.add_column(column)
    for column in HEADS:
        table.add_column(column, justify="right")
    for row in ROWS:
        table.add_row(*row)
    return table


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
def test_no_figure_is_cut_and_no_line_is_longer_than_the_terminal(width: int):
    lines = printed(width, compared(), keys=3)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in ROWS:
        for figure in row[3:]:
            assert figure in text
    for word in " ".join(HEADS).split():
        assert word in text
    assert "…" not in text


def test_each_block_names_its_rows():
    lines = printed(60, compared(), keys=3)
    blocks = "\n".join(lines).split("└")[:-1]
    assert len(blocks) > 1
    assert all("mIoU" in block and "PointIt" in block for block in blocks)


def test_into_a_pipe_every_row_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = printed(80, compared(), keys=3, terminal=False)
    for row in ROWS:
        (line,) = [line for line in lines if row[0] in line]
        assert all(cell in line for cell in row)
    assert sum("A title that is much longer" in line and line.endswith("the other") for line in lines) == 1


def test_a_pipe_has_the_width_that_columns_gives_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, printed(60, compared(), keys=3, terminal=False))) <= 100  # the title alone is not broken
    assert printed(60, compared(), keys=3, terminal=False)[1:] == printed(60, compared(), keys=3)[2:]


@given(
    figures=st.lists(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), min_size=1, max_size=4),
    width=st.integers(40, 120),
    names=st.text("abc _", min_size=1, max_size=50),
)
def test_every_figure_of_any_table_is_there_once(figures: list[list[int]], width: int, names: str):
    table = Table()
    table.add_column("name")
    for number in range(3):
        table.add_column(f"column {number}", justify="right")
    for row in figures:
        table.add_row(names, *map(str, row))
    lines = printed(width, table)
    assert max(map(len, lines)) <= width
    found = re.findall(r"(?<![\w.])\d+(?= │)", "\n".join(line for line in lines if line.startswith("│")))
    assert sorted(found) == sorted(str(figure) for row in figures for figure in row)


def test_sections_stay():
    table = Table()
    table.add_column("slice")
    table.add_column("figure", justify="right")
    table.add_row("length", "1", end_section=True)
    table.add_row("area", "2")
    assert sum(line.startswith("├") for line in printed(60, table)) == 1


def test_a_figure_that_names_a_row_is_not_folded():
    table = Table()
    table.add_column("threshold", justify="right")
    for name in ("mIoU", "oIoU", "P@0.5"):
        table.add_column(name, justify="right")
    table.add_row("0.123456789012", *(["12345678.12345678"] * 3))
    assert sum("0.123456789012" in line for line in printed(40, table)) == 3
