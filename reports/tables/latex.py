"""A LaTeX table with booktabs that fits a page of two columns; the best of each column is bold, the second underlined.

No TeX is needed for the layout. The width is estimated from the numbers of characters, and the largest type size that
fits is used, with rotated heads if numbers are narrower than their titles. A table that is too wide for every size is
cut into blocks of columns. Page widths differ (IEEE, CVPR, LNCS, plain ``article``), so TeX scales a table down if it
is still wider than the line.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from risbench import DataWarning, Run

from .contrasts_latex import comparison_text
from .table import Cell, ReportTable, TableRow, table_of
from .table_options import TableOptions, table_renderer
from .tex import breakable, caption_lines, escaped, length_of, marked

_COLUMN, _PAGE = 3.25 * 72.27, 6.9 * 72.27  # points
_NARROWEST = 229.5  # points of a column of LaTeX's own twocolumn article, narrower than any conference's
_PAGE_HEIGHT = 530.0  # points of the text of a page, the lowest of those that papers are printed on (LNCS: 549)
_EM = 0.5  # a digit's width, in type sizes
_TITLE = 28  # characters of a method's name on one line
# The natural width, or the line's where that is less.
_SCALED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


class PageLayout(NamedTuple):
    """How a table is set: type size and its command, half the gap between columns (pt), heads upright or turned."""

    command: str
    size: float
    gap: float
    turned: bool


_LAYOUTS = tuple(
    PageLayout(command, size, gap, turned)
    for command, size, gap in (
        ("small", 9, 4),
        ("footnotesize", 8, 3),
        ("scriptsize", 7, 2.5),
        ("scriptsize", 7, 1.5),
    )
    for turned in (False, True)
)


def table_text(runs: Sequence[Run], options: TableOptions) -> str:
    """The table of some runs; see `reports.tables.table`.

    Warns:
        DataWarning: the table is higher than a page, so LaTeX would print only a part of it.
    """
    table = table_of(runs, options)
    if (pages := _height(table) / _PAGE_HEIGHT) > 1:
        warnings.warn(
            f"the table is about {pages:.1f} pages high, but LaTeX prints at most one page of a table: give fewer runs "
            "(a split at a time, --columns paper1 or paper2), leave --published out, or cut it into several by hand",
            DataWarning,
            stacklevel=3,
        )
    return "\n".join(lines_of(table, options.caption, options.label))


render = table_renderer(table_text, comparison_text, "latex", captioned=True)


def lines_of(table: ReportTable, caption: str | None = None, label: str | None = None) -> list[str]:
    """A whole ``table`` or ``table*``, with its caption above and its notes below it."""
    titled = caption_lines(caption, label)
    layout, wide, blocks = _fitted(table)
    # A table that fits every page needs no scaling, and so no graphicx package.
    scaled = max(_width(table, spans, layout) for spans in blocks) > _NARROWEST
    packages = r"\usepackage{booktabs}" + (r" and \usepackage{graphicx}" if layout.turned or scaled else "")
    kind, width = ("table*", r"\textwidth") if wide else ("table", r"\columnwidth")
    lines = [f"% needs {packages}", rf"\begin{{{kind}}}[t]", r"\centering", *titled, rf"\{layout.command}"]
    lines.append(rf"\setlength{{\tabcolsep}}{{{layout.gap:g}pt}}")
    for number, spans in enumerate(blocks):
        if number:
            lines.append(r"\par\medskip")
        *tabular, end = _tabular(table, spans, layout)
        lines += [_SCALED, *tabular, f"{end}%", "}"] if scaled else [*tabular, end]
    lines += [r"\par\smallskip", rf"\begin{{minipage}}{{{width}}}\scriptsize\raggedright"]
    for note in table.notes:
        lines.append(f"{marked((note.mark,)) + ' ' if note.mark else ''}{breakable(note.text)}\\par")
    return [*lines, r"\end{minipage}", rf"\end{{{kind}}}"]


def _tabular(table: ReportTable, spans: Sequence[int], layout: PageLayout) -> list[str]:
    places = [place for span in spans for place in _places(table, span)]
    lines = [r"\begin{tabular}{l" + "r" * len(places) + "}", r"\toprule"]
    if len(table.spans) > 1:
        over, rules, at = [""], "", 2
        for span in spans:
            title, width = table.spans[span]
            over.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(title)}}}")
            rules += rf"\cmidrule(lr){{{at}-{at + width - 1}}}"
            at += width
        lines += [" & ".join(over) + r" \\", rules]
    lines += [" & ".join(["Method", *(_head(table.heads[place], layout) for place in places)]) + r" \\", r"\midrule"]
    for number, (title, rows) in enumerate(table.groups):
        if title:
            lines += [r"\addlinespace"] if number else []
            lines.append(rf"\multicolumn{{{len(places) + 1}}}{{l}}{{\textit{{{escaped(title)}}}}} \\")
        lines += [_line(row, places) for row in rows]
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _line(row: TableRow, places: Sequence[int]) -> str:
    return " & ".join([_title(row), *(_cell(row.cells[place]) for place in places)]) + r" \\"


def _title(row: TableRow) -> str:
    if length_of(row.title) <= _TITLE:
        return escaped(row.title) + marked(row.marks)
    width = _TITLE * _EM
    return rf"\parbox[t]{{{width:g}em}}{{\raggedright\strut {breakable(row.title)}{marked(row.marks)}\strut}}"


def _cell(cell: Cell) -> str:
    wrap = {0: "{}", 1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}[cell.place]
    interval = f" {escaped(cell.interval)}" if cell.interval else ""
    return wrap.format(escaped(cell.text)) + marked(cell.marks) + interval


def _head(title: str, layout: PageLayout) -> str:
    return rf"\rotatebox{{90}}{{{escaped(title)}}}" if layout.turned else escaped(title)


def _places(table: ReportTable, span: int) -> range:
    start = sum(width for _, width in table.spans[:span])
    return range(start, start + table.spans[span][1])


def _fitted(table: ReportTable) -> tuple[PageLayout, bool, list[list[int]]]:
    """The largest layout in which the table fits into one column, else into the page, else in blocks into the page."""
    everything = list(range(len(table.spans)))
    for layout in _LAYOUTS[:4]:
        if _width(table, everything, layout) <= _COLUMN:
            return layout, False, [everything]
    for layout in _LAYOUTS:
        if _width(table, everything, layout) <= _PAGE:
            return layout, True, [everything]
    layout = _LAYOUTS[5]  # a smaller type than \\scriptsize cannot be read
    blocks: list[list[int]] = [[]]
    for span in everything:
        if blocks[-1] and _width(table, [*blocks[-1], span], layout) > _PAGE:
            blocks.append([])
        blocks[-1].append(span)
    return layout, True, blocks


def _height(table: ReportTable) -> float:
    """The height of the whole float in points, estimated from the lines of its titles and notes."""
    layout, wide, blocks = _fitted(table)
    lines = sum(-(-max(1, length_of(row.title)) // _TITLE) for row in table.rows)
    lines += sum(bool(title) for title, _ in table.groups)
    heads = 4 + (max(map(len, table.heads), default=0) * _EM if layout.turned else 0)
    note_size = 7
    on_line = (_PAGE if wide else _COLUMN) / (note_size * _EM)
    notes = sum(-(-len(note.text) // int(on_line)) for note in table.notes)
    return 1.2 * (len(blocks) * (lines + heads) * layout.size + notes * note_size)


def _characters(cell: Cell) -> float:
    return len(cell.text) + 0.7 * len(cell.marks) + (1 + len(cell.interval) if cell.interval else 0)


def _width(table: ReportTable, spans: Sequence[int], layout: PageLayout) -> float:
    """The width in points, estimated generously: a character is half its type size wide, a mark a third."""
    rows = table.rows
    first = max([6.0, *(min(length_of(row.title), _TITLE) + 0.7 * len(row.marks) for row in rows)])
    total = first * layout.size * _EM
    for span in spans:
        title, _ = table.spans[span]
        cells = 0.0
        for place in _places(table, span):
            widest = max(_characters(row.cells[place]) for row in rows)
            head = 2.4 if layout.turned else float(len(table.heads[place]))
            cells += max(widest, head) * layout.size * _EM + 2 * layout.gap
        total += max(cells, len(title) * layout.size * _EM + 2 * layout.gap if len(table.spans) > 1 else 0.0)
    return total + 2 * layout.gap
