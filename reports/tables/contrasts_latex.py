"""A comparison of runs as one LaTeX float: the differences over all expressions, and by kind of expression.

Single expressions are left out: a paper shows them as pictures (``risbench report --as grid --rows disagree``).
"""

from __future__ import annotations

import warnings

from risbench import DataWarning
from risbench.statistics.compare import Comparison
from risbench.statistics.compared import notes_below

from .contrasts import ContrastTable, contrast_tables
from .tex import breakable, caption_lines, escaped

_MOST_LINES = 45  # of a page, beside the notes
# The natural width, or the line's where that is less.
_SCALED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def comparison_text(
    found: Comparison, *, intervals: str | None = None, caption: str | None = None, label: str | None = None
) -> str:
    """The comparison; of two runs without kinds of expression and intervals, it takes one column of a page.

    Args:
        found: the comparison.
        intervals: also print the intervals of the scores; see `risbench.statistics.interval_text`.
        caption, label: plain text above the tables, and the name for ``\\ref``.

    Warns:
        DataWarning: the tables are higher than a page, so LaTeX would print only a part of them.
    """
    titled = caption_lines(caption, label)
    tables = [table for table in contrast_tables(found, intervals) if not table.is_example]
    lines_high = sum(len(table.rows) + 3 for table in tables)
    if lines_high > _MOST_LINES:
        warnings.warn(
            f"the comparison has {lines_high} lines, but LaTeX prints at most one page of a table (about {_MOST_LINES} "
            "lines): give --no-slices, or fewer runs",
            DataWarning,
            stacklevel=2,
        )
    narrow = intervals is None and len(found.runs) == 2 and not found.slices  # else scaled until nobody can read it
    kind, width = ("table", r"\columnwidth") if narrow else ("table*", r"\textwidth")
    lines = [r"% needs \usepackage{booktabs} and \usepackage{graphicx}", rf"\begin{{{kind}}}[t]", r"\centering"]
    lines += [*titled, r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    for number, table in enumerate(tables):
        lines += [r"\par\medskip"] if number else []
        lines += [_SCALED, *_tabular(table), "}"]
    lines += [r"\par\smallskip", rf"\begin{{minipage}}{{{width}}}\scriptsize\raggedright"]
    notes = [*(table.title for table in tables), *notes_below(found, intervals)]
    lines += [rf"{breakable(text[:1].upper() + text[1:])}.\par" for text in notes]
    return "\n".join([*lines, r"\end{minipage}", rf"\end{{{kind}}}"])


def _tabular(table: ContrastTable) -> list[str]:
    figures = len(table.heads) - table.texts
    lines = [r"\begin{tabular}{" + "l" * table.texts + "r" * figures + "}", r"\toprule"]
    lines += [_line(table.heads), r"\midrule"]
    before = None
    for row in table.rows:
        if table.heads[0] == "slice":
            lines += [r"\addlinespace"] if before not in (None, row[0]) else []
            row, before = ("" if row[0] == before else row[0], *row[1:]), row[0]
        lines.append(_line(row, table.texts))
    return [*lines, r"\bottomrule", r"\end{tabular}%"]


def _line(cells: tuple[str, ...], texts: int | None = None) -> str:
    """A line; the cells after ``texts`` are figures, whose hyphens are minus signs."""
    printed = [escaped(cell) for cell in cells]
    for place in range(len(cells) if texts is None else texts, len(cells)):
        printed[place] = printed[place].replace("--", "\0").replace("-", r"\ensuremath{-}").replace("\0", "--")
    return " & ".join(printed) + r" \\"
