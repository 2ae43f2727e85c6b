"""LaTeX tables fit a page of two columns, and compile where there is a TeX engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from helpers.runs import ious_of, write_run
from helpers.tables import table_of
from helpers.waiting import GUARD

from reports.tables import latex
from reports.tables.columns import PAPER_SPLITS
from reports.tables.latex import lines_of
from reports.tables.tex import escaped
from risbench import DataWarning, Run
from risbench.statistics.compare import compare

SCALED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
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
        before, depth = depth, depth + bare.count("{") - bare.count("}")
        # Only what scales a table down is open over several lines.
        assert depth == before or (before, depth, line) in ((0, 1, SCALED), (1, 0, "}")), line
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
    assert depth == 0


def test_every_line_has_its_columns_and_every_brace_its_end(wild: list[Run], wide: list[Run]):
    balanced(lines_of(table_of(wild)))
    balanced(lines_of(table_of(wide, columns="paper1", published=True, efficiency=True)))
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


@pytest.mark.filterwarnings("ignore:the table is about")
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


# A page of each kind that papers of the field are printed on: class, options and what the class lacks.
PAGES = {
    "article": r"\documentclass[twocolumn]{article}",
    "IEEEtran": r"\documentclass[journal]{IEEEtran}",
    "CVPR": r"\documentclass[10pt,twocolumn,letterpaper]{article}"
    r"\setlength{\textwidth}{6.875in}\setlength{\columnsep}{0.3125in}\setlength{\oddsidemargin}{-0.304in}",
    "llncs": r"\documentclass{llncs}",
    "one column": r"\documentclass{article}",
}


def compiled(page: str, body: str, folder: Path) -> str:
    """The log of a document, which must compile."""
    if ENGINE is None:
        pytest.skip("no TeX engine (pdflatex, tectonic, …)")
    found = re.search(r"\{(\w+)\}", page)
    where = shutil.which("kpsewhich")
    if where and found and subprocess.run([where, f"{found[1]}.cls"], capture_output=True).returncode:
        pytest.skip(f"TeX has no class {found[1]} (Debian: texlive-publishers)")
    text = "\n".join([page, r"\usepackage{booktabs,graphicx}", r"\begin{document}", body, r"\end{document}"])
    (folder / "page.tex").write_text(text, encoding="utf-8")
    options = ["--keep-logs"] if ENGINE == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    words = [ENGINE, *options, "page.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace", timeout=GUARD)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return (folder / "page.log").read_text(errors="replace")


def test_a_table_higher_than_a_page_is_said_to_be(wide: list[Run]):
    with pytest.warns(DataWarning, match=r"the table is about \d+\.\d pages high, but LaTeX prints at most one page"):
        latex.render(wide, published=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latex.render(wide[:8], columns="paper1")


@pytest.mark.filterwarnings("ignore:the table is about")
@pytest.mark.parametrize("page", PAGES)
def test_the_tables_compile_and_fit_every_page(wild: list[Run], wide: list[Run], tmp_path: Path, page: str):
    tables = [
        latex.render(wild),
        latex.render(wide, columns="paper1", published=True, efficiency=True),
        latex.render(wide, columns="paper2"),
        latex.render(wide),
        latex.render(wide[:8], columns="paper1"),
        latex.render(wide[:2], metrics="mIoU"),
        latex.render(wide[:2], intervals="pm", caption=r"50 % of \\them & a_b", label="tab:a"),
        latex.render(wide[:2], metrics="mIoU,oIoU", intervals="low-high"),
        latex.render.comparison(compare(wide[:2], slices=False), caption="Two runs", label="tab:b"),
        latex.render.comparison(compare(wild[:4], metrics="mIoU", slices=False), intervals="pm"),
    ]
    log = compiled(PAGES[page], "\n".join(f"{table}\n\\clearpage" for table in tables), tmp_path)
    assert "Overfull \\hbox" not in log


def test_a_table_that_fits_every_page_needs_no_package_that_scales(wide: list[Run]):
    narrow = latex.render(wide[:2], metrics="mIoU") or ""
    assert SCALED not in narrow
    assert "graphicx" not in narrow
    page = latex.render(wide[:8], columns="paper1") or ""
    assert page.count(SCALED) == page.count(r"\begin{tabular}") == 1
    assert "graphicx" in page.splitlines()[0]


def test_a_long_name_is_broken_and_printed_whole(tmp_path: Path):
    name = "a method of many words_and_underscores_that_nobody_could_set_on_one_line"
    runs = [write_run(tmp_path / "run", [[0.5, 0.4]], method=name)]
    line = next(line for line in lines_of(table_of(runs)) if line.startswith(r"\parbox"))
    assert escaped(name) in line.replace(r"\allowbreak{}", "")
    assert r"\allowbreak{}" in line
