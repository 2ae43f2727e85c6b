"""LaTeX tables fit a page of two columns, and compile where there is a TeX engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up.runs import ious_of, write_run

from reports import latex
from reports.columns import PAPER_SPLITS
from reports.latex import lines_of
from reports.table import table_of
from reports.tex import escaped
from risbench import Run

ENGINE = next((name for name in ("tectonic", "pdflatex", "xelatex", "lualatex") if shutil.which(name)), None)
WILD = [
    r"<script>alert(1)</script>",
    r"\input{/etc/passwd}",
    '100% $x_1^2$ #&~ [2pt] *star "quote" `tick\' a|b',
    "שלום עולם",
    "\u202eoverride\u2066",
    "naïve façade – “f” … ±1 ≥ 2 ﬁ 中文 😀",
    "x" * 500,
]


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    base = tmp_path_factory.mktemp("wild")
    return [write_run(base / str(n), [[0.5, 0.1 * n]], method=name) for n, name in enumerate(WILD)]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    base = tmp_path_factory.mktemp("wide")
    return [
        write_run(base / f"{split}-{name}", ious_of(level, 1), method=name, split=split)
        for split in PAPER_SPLITS
        for name, level in (("ours", 0.4), ("a_longer_name", 0.2))
    ]


def balanced(lines: list[str]) -> None:
    """Every row of a tabular has its columns, every brace and environment its end."""
    depth = columns = 0
    open_environments = []
    for line in lines:
        if line.startswith("%"):
            continue
        bare = re.sub(r"\\[\\{}$%&#_]", "", line)
        depth += bare.count("{") - bare.count("}")
        assert depth == 0, line
        assert bare.count("$") % 2 == 0, line
        for kind, name in re.findall(r"\\(begin|end)\{([a-z]+\*?)\}", line):
            if kind == "begin":
                open_environments.append(name)
            else:
                assert open_environments.pop() == name
        if match := re.match(r"\\begin\{tabular\}\{([lr]+)\}", line):
            columns = len(match[1])
        elif line.endswith(r"\\"):
            spans = sum(int(width) - 1 for width in re.findall(r"\\multicolumn\{(\d+)\}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == columns, line
    assert not open_environments


def test_every_line_has_its_columns_and_every_brace_its_end(wild: list[Run], wide: list[Run]):
    balanced(lines_of(table_of(wild)))
    balanced(lines_of(table_of(wide, columns="paper1", published=True, efficiency_too=True)))
    balanced(lines_of(table_of(wide, published=True)))


def test_a_narrow_table_takes_a_column_and_a_wide_one_the_page(wild: list[Run], wide: list[Run]):
    narrow = latex.render(wide[:2], metrics="mIoU,PointM") or ""
    assert r"\begin{table}[t]" in narrow
    assert r"\small" in narrow
    page = latex.render(wide[:8], columns="paper1") or ""
    assert r"\begin{table*}[t]" in page
    assert page.count(r"\begin{tabular}") == 1
    full = latex.render(wide[:10], columns="paper1") or ""
    assert full.count(r"\begin{tabular}") == 1
    # Where figures are narrower than their titles, the titles turn.
    assert r"\rotatebox{90}{PointM}" in full
    assert r"and \usepackage{graphicx}" in full.splitlines()[0]


def test_what_fits_no_type_is_cut_into_blocks_of_whole_splits(wide: list[Run]):
    text = latex.render(wide) or ""  # ten metrics on ten splits
    assert text.count(r"\begin{tabular}") > 1
    for split in PAPER_SPLITS:
        assert text.count(rf"\multicolumn{{10}}{{c}}{{{escaped(split)}}}") == 1


def test_tex_prints_what_it_is_given_and_obeys_nothing():
    for text in WILD:
        found = escaped(text)
        assert not re.search(r"(?<!\\)[&%$#_]", found)
        assert set(re.findall(r"\\([a-zA-Z]+)", found)) <= {
            *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"),
            *("ldots", "ensuremath", "pm", "geq", "texttt"),
        }
        assert "\n" not in found
        # What no engine can set without its font stands as its code point.
        assert all(character.isascii() or character in "ïç" for character in found)


@pytest.mark.skipif(ENGINE is None, reason="no TeX engine")
def test_the_tables_compile(wild: list[Run], wide: list[Run], tmp_path: Path):
    tables = [
        latex.render(wild),
        latex.render(wide, columns="paper1", published=True, efficiency=True),
        latex.render(wide, columns="paper2"),
        latex.render(wide[:2], metrics="mIoU"),
    ]
    document = [r"\documentclass[twocolumn]{article}", r"\usepackage{booktabs,graphicx}", r"\begin{document}"]
    document += [f"{table}\n\\clearpage" for table in tables] + [r"\end{document}"]
    (tmp_path / "page.tex").write_text("\n".join(document), encoding="utf-8")
    options = [] if ENGINE == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    words = [str(ENGINE), *options, "page.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    log = (tmp_path / "page.log").read_text(errors="replace") if (tmp_path / "page.log").exists() else done.stdout
    assert "Overfull \\hbox" not in log
