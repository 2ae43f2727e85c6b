"""Tables from run folders: golden texts, what they refuse, and that they never obey the data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up.annotations import SIZE, rectangle, write_image, write_refer
from made_up.answers import Answers

from reports import latex, markdown
from reports.table import table_of
from risbench import Prediction, Run, Split, UsageError, evaluate, load_split
from risbench.masks import union_of
from risbench.plugins import REPORTS, installed

SPLIT = "refcoco_val"
Made = Callable[..., Run]


@pytest.fixture
def split(tmp_path: Path) -> Split:
    root = write_refer(tmp_path / "data")
    for number in (1, 2):
        write_image(root / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    return load_split(SPLIT, root)


@pytest.fixture
def made(split: Split, tmp_path: Path) -> Made:
    """Makes runs: of the truth for some share of the expressions, and of nothing for the others."""

    def make(
        name: str, right: int = 6, *, points: bool = False, card: dict[str, Any] | None = None, **more: Any
    ) -> Run:
        answers = {}
        for number, sample in enumerate(split):
            truth = union_of(sample.parts, sample.size)
            mask = truth if number < right else rectangle(sample.size, 0, 0, 2, 2)
            answers[sample.id] = Prediction(mask=mask, point=(3.5, 5.5) if points else None)
        method = Answers(answers)
        method.card = {**method.card, **(card or {}), "reads": ("refs",)}  # type: ignore[misc]
        out = tmp_path / "runs" / f"{len(list(tmp_path.rglob('header.json')))}"
        run = evaluate(method, split, name=name, rules=more.pop("rules", "clean"), out=out, **more)
        # The answers come by the samples' ids; what the card says of that is for the table alone.
        run.header["method"]["card"]["reads"] = list((card or {}).get("reads", ("refs",)))
        (run.path / "header.json").write_text(json.dumps(run.header))
        return run

    return make


PLAIN = {"reads": ()}

MARKDOWN = r"""| Method | mIoU | oIoU | PointIt | Accbox@0.7 |
|:--|--:|--:|--:|--:|
| floor | 16.7 | 24.9 | – | 0.0 |
| both\_halves\* | **83.3** | **86.5** | **16.7** | **16.7** |
| same | **83.3** | **86.5** | – | **16.7** |

refcoco\_val: 6 expressions about 2 images, in percent.  
Rules clean: RULES.  
PARTIAL: not the whole split; not comparable with published figures.  
\* looks at more than image and text: box, category.  """  # noqa: W291

LATEX = r"""% needs \usepackage{booktabs}
\begin{tabular}{lrrrr}
\toprule
Method & mIoU & oIoU & PointIt & Accbox@0.7 \\
\midrule
floor & 16.7 & 24.9 & -- & 0.0 \\
both\_halves* & \textbf{83.3} & \textbf{86.5} & \textbf{16.7} & \textbf{16.7} \\
same & \textbf{83.3} & \textbf{86.5} & -- & \textbf{16.7} \\
\bottomrule
\end{tabular}
% refcoco_val: 6 expressions about 2 images, in percent.
% Rules clean: RULES.
% PARTIAL: not the whole split; not comparable with published figures.
% * looks at more than image and text: box, category."""


def three(made: Made) -> list[Run]:
    return [
        made("floor", 1, card=PLAIN),
        made("both_halves", 5, points=True, card={"reads": ("category", "box")}),
        made("same", 5, card=PLAIN),
    ]


@pytest.mark.parametrize(("renderer", "golden"), [(markdown, MARKDOWN), (latex, LATEX)])
def test_a_table_reads_as_written_here(made: Made, tmp_path: Path, renderer: Any, golden: str):
    runs = three(made)
    text = renderer.render(runs, metrics="mIoU,cIoU,PointIt,Accbox@0.7")
    rules = runs[0].summary["rules"]["text"]
    if renderer is markdown:
        rules = rules.replace(">", r"\>")
    assert text == golden.replace("RULES", rules).rstrip()
    # To a file the same goes, with a newline at its end.
    assert renderer.render(runs, metrics="mIoU,cIoU,PointIt,Accbox@0.7", out=tmp_path / "new" / "table") is None
    assert (tmp_path / "new" / "table").read_text() == text + "\n"


def test_without_a_choice_all_ten_metrics_are_shown(made: Made):
    head = table_of([made("one")]).head
    assert head[0] == "Method"
    assert len(head) == 11


def test_a_changed_number_changes_the_table(made: Made):
    run = made("one", 3)
    before = markdown.render([run])
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["P@0.7"]["value"] += 0.001
    (run.path / "summary.json").write_text(json.dumps(summary))
    after = markdown.render([Run.load(run.path)])
    assert before is not None
    assert after is not None
    assert [a == b for a, b in zip(before.splitlines(), after.splitlines(), strict=True)].count(False) == 1
    assert "50.1" in after


def test_metrics_beyond_the_summary_are_computed_from_the_rows(made: Made):
    run = made("one", 3)
    rows = (run.path / "rows.jsonl").read_text()
    assert table_of([run], "P@0.25").rows == (("one*", "50.0"),)
    (run.path / "rows.jsonl").write_text(re.sub(r'"intersection": \d+', '"intersection": 0', rows))
    assert table_of([run], "P@0.25").rows == (("one*", "0.0"),)


def test_the_best_of_a_column_is_what_prints_as_best(made: Made):
    runs = [made("a", 1), made("b", 3), made("c", 3), made("d", 2, points=True)]
    table = table_of(runs, "mIoU,PointIt")
    assert table.best == (frozenset(), frozenset({1, 2}), frozenset({3}))
    # Where all are level, or one stands alone, nothing is best.
    assert table_of([runs[1], runs[2]], "mIoU").best[1] == frozenset()
    assert table_of([runs[1]], "mIoU").best[1] == frozenset()


WILD = r"a|b <script>alert(1)</script> \input{/etc/passwd} 100% $x_1^2$ #&~ [x](y) `c` *d*" + "\n" + "e – “f”"


def test_markdown_never_obeys_a_name(made: Made):
    text = markdown.render([made(WILD, card=PLAIN), made("other", card=PLAIN)], metrics="mIoU")
    assert text is not None
    row = text.splitlines()[2]
    for sign in "|<>`$#&~[]{}_":
        assert not re.search(rf"(?<!\\){re.escape(sign)}", row.strip("| ").removesuffix("| 100.0").rstrip()), sign
    # Undone, it is the name, and it still is one cell of one line.
    assert re.sub(r"\\([^a-zA-Z\d\s])", r"\1", row) == "| " + " ".join(WILD.split()) + " | 100.0 |"
    assert len(re.split(r"(?<!\\)\|", row)) == 4


def test_latex_never_obeys_a_name(made: Made):
    text = latex.render([made(WILD, card=PLAIN), made("other", card=PLAIN)], metrics="mIoU")
    assert text is not None
    row = text.splitlines()[5]
    assert row == (
        r"a|b \textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} "
        r"\textbackslash{}input\{/etc/passwd\} 100\% \$x\_1\textasciicircum{}2\$ \#\&\textasciitilde{} "
        r"[x](y) `c` *d* e -- “f” & 100.0 \\"
    )


@pytest.mark.parametrize("name", ["[2pt] ours", "*ours"])
def test_latex_takes_no_name_for_an_option_of_the_line_before(made: Made, name: str):
    text = latex.render([made("first", card=PLAIN), made(name, card=PLAIN)], metrics="mIoU")
    assert text is not None
    assert text.splitlines()[6] == "{}" + name + r" & 100.0 \\"


def test_notes_in_latex_stay_comments(made: Made, split: Split):
    run = made("first\n\\input{x}\r\\input{y}\u2028\\input{z}", threshold=0.25)
    text = latex.render([run])
    assert text is not None
    notes = text.split("\\end{tabular}\n")[1]
    assert "\\input{z}" in notes
    assert all(line.startswith("% ") for line in re.split(r"[\n\r\u2028\u2029\x0b\x0c\x85]", notes))


@pytest.mark.parametrize(
    ("more", "what"),
    [({"rules": "tris"}, "rules"), ({"limit": 1}, "limits"), ({"shard": (0, 2)}, "shards"), ({}, "splits")],
)
def test_what_cannot_be_compared_is_not_put_into_one_table(
    made: Made, split: Split, tmp_path: Path, more: dict[str, Any], what: str
):
    first, other = made("first"), made("other", **more)
    if what == "splits":
        header = json.loads((other.path / "header.json").read_text())
        header["split"]["sources"][0]["sha256"] = "another file"
        (other.path / "header.json").write_text(json.dumps(header))
        other = Run.load(other.path)
    for render in (markdown.render, latex.render):
        with pytest.raises(UsageError, match=f"are of different {what}"):
            render([first, first, other])
        assert render([other, other]) is not None


def test_no_runs_make_no_table():
    with pytest.raises(UsageError, match="at least one run"):
        table_of([])


def test_the_notes_tell_what_the_numbers_are_of(made: Made, split: Split):
    whole = table_of([made("one", card=PLAIN)]).notes
    assert whole[0] == f"{SPLIT}: 6 expressions about 2 images, in percent."
    assert whole[1].startswith("Rules clean: truth is the union of parts")
    limited = table_of([made("one", card=PLAIN, limit=1)]).notes
    assert limited[0] == f"{SPLIT}: 3 expressions about 1 images, in percent."
    # More images than there are: the number is of those that are.
    assert table_of([made("one", card=PLAIN, limit=99)]).notes[0] == whole[0]
    assert any(note.startswith("PARTIAL") for note in limited)
    control = table_of([made("one", card=PLAIN, texts="empty")])
    assert control.rows[0][0] == "one (texts empty)"


def test_each_threshold_is_told_with_its_run(made: Made):
    runs = [
        made("own", card={"reads": (), "threshold": 0.25}),
        made("given", card=PLAIN, threshold=-1),
        made("none", card=PLAIN),
    ]
    notes = table_of(runs).notes
    assert [note for note in notes if "cut at" in note] == ["own: heats cut at 0.25.", "given: heats cut at -1."]


def test_missing_predictions_are_told(made: Made):
    run = made("one", card=PLAIN)
    summary = {**run.summary, "missing": 2}
    notes = table_of([Run(run.path, run.header, summary)]).notes
    assert notes[-1] == "one: 2 expressions without a prediction count as empty masks."


def test_drawn_scenes_are_said_to_be_drawn(made: Made):
    run = made("one")
    drawn = Run(run.path, run.header, {**run.summary, "split": "shapes_val"})
    assert any(note.startswith("Drawn scenes") for note in table_of([drawn]).notes)
    assert not any(note.startswith("Drawn scenes") for note in table_of([run]).notes)


def test_both_tables_are_installed_under_their_names():
    assert {name: point.value for name, point in installed(REPORTS).items() if name in ("markdown", "latex")} == {
        "markdown": "reports.markdown:render",
        "latex": "reports.latex:render",
    }
    assert installed(REPORTS)["markdown"].load() is markdown.render
