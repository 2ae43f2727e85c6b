"""Tables from run folders that were really scored: what they refuse, and that they never obey the data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import SIZE, rectangle, write_image, write_refer
from helpers.tables import table_of
from made_up.answers import Answers

from reports.tables import latex, markdown
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
            point = (3.5, 5.5) if points else None
            # A chosen threshold cuts heats, and a method with masks is refused one.
            heat = mask.astype(np.float32) if "threshold" in more else None
            answers[sample.id] = Prediction(mask=None if "threshold" in more else mask, heat=heat, point=point)
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


def three(made: Made) -> list[Run]:
    return [
        made("floor", 1, card=PLAIN),
        made("both_halves", 5, points=True, card={"reads": ("category", "box")}),
        made("same", 5, card=PLAIN),
    ]


@pytest.mark.parametrize("renderer", [markdown, latex])
def test_a_file_holds_what_would_be_printed(made: Made, tmp_path: Path, renderer: Any):
    runs = three(made)
    text = renderer.render(runs, metrics="mIoU,cIoU,PointIt,Accbox@0.7")
    assert "24.9" in text
    # To a file the same goes, with a newline at its end.
    assert renderer.render(runs, metrics="mIoU,cIoU,PointIt,Accbox@0.7", out=tmp_path / "new" / "table") is None
    assert (tmp_path / "new" / "table").read_text() == text + "\n"


def test_without_a_choice_all_ten_metrics_are_shown(made: Made):
    assert len(table_of([made("one")]).heads) == 10


def test_a_changed_number_changes_the_table(made: Made):
    run = made("one", 3)
    before = markdown.render([run])
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["P@0.7"]["value"] += 0.001
    (run.path / "summary.json").write_text(json.dumps(summary))
    after = markdown.render([Run.load(run.path)])
    assert before is not None
    assert after is not None
    assert "50.1" in after
    assert "50.1" not in before
    # The rows say otherwise, and the table says so.
    assert "CHANGED: the rows of 0 give 50.000 for P@0.7, its summary says otherwise." in after.replace("\\", "")


def test_metrics_beyond_the_summary_are_computed_from_the_rows(made: Made):
    run = made("one", 3)
    rows = (run.path / "rows.jsonl").read_text()
    assert table_of([run], "P@0.25").rows[0].cells[0].text == "50.0"
    (run.path / "rows.jsonl").write_text(re.sub(r'"intersection": \d+', '"intersection": 0', rows))
    assert table_of([run], "P@0.25").rows[0].cells[0].text == "0.0"


def notes_of(*runs: Run) -> list[str]:
    return [note.text for note in table_of(runs).notes]


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
    row = next(line for line in text.splitlines() if line.endswith(r"& 100.0 \\"))
    assert row.replace(r"\allowbreak{}", "") == (
        r"\parbox[t]{14em}{\raggedright\strut a\textbar{}b "
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} "
        r"\textbackslash{}input\{/etc/passwd\} 100\% \$x\_1\textasciicircum{}2\$ \#\&\textasciitilde{} "
        r"{[}x{]}(y) `c` {*}d{*} e -- ``f''\strut} & 100.0 \\"
    )


@pytest.mark.parametrize("name", ["[2pt] ours", "*ours"])
def test_latex_takes_no_name_for_an_option_of_the_line_before(made: Made, name: str):
    text = latex.render([made("first", card=PLAIN), made(name, card=PLAIN)], metrics="mIoU")
    assert text is not None
    assert "{" + name[0] + "}" + name[1:].replace("]", "{]}") + r" & 100.0 \\" in text.splitlines()


def test_notes_in_latex_are_escaped_too(made: Made):
    text = latex.render([made("first\n\\input{x}\r\\input{y}\u2028\\input{z}", threshold=0.25)]) or ""
    assert "\\input" not in text
    assert text.count(r"\textbackslash{}input\{z\}") == 1


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
        with pytest.raises(UsageError, match=f"are of different {'copies' if what == 'splits' else what}"):
            render([first, first, other])
        assert render([other, other]) is not None


def test_no_runs_make_no_table():
    with pytest.raises(UsageError, match="at least one run"):
        table_of([])


def test_the_notes_tell_what_the_numbers_are_of(made: Made, split: Split):
    whole = notes_of(made("one", card=PLAIN))
    assert whole[0] == f"{SPLIT}: 6 expressions about 2 images, in percent."
    assert whole[1].startswith("Rules clean: truth is the union of parts")
    limited = notes_of(made("one", card=PLAIN, limit=1))
    assert limited[0] == f"{SPLIT}: 3 expressions about 1 image, in percent."
    # More images than there are: the number is of those that are.
    assert notes_of(made("one", card=PLAIN, limit=99))[0] == whole[0]
    assert any(note.startswith("PARTIAL") for note in limited)
    control = table_of([made("one", card=PLAIN, texts="empty")])
    assert control.rows[0].title == "one (texts empty)"


def test_each_threshold_is_told_with_its_run(made: Made):
    runs = [
        made("own", card={"reads": (), "threshold": 0.25}),
        made("given", card=PLAIN, threshold=-1),
        made("none", card=PLAIN),
    ]
    table = table_of(runs)
    by_mark = {note.mark: note.text for note in table.notes}
    marks_by_title = {row.title: [by_mark[mark] for mark in row.marks] for row in table.rows}
    assert marks_by_title == {
        "own": ["heats cut at the method's threshold 0.25."],
        "given": ["heats cut at a chosen threshold -1."],
        "none": [],
    }


def test_missing_predictions_are_told(made: Made):
    run = made("one", card=PLAIN)
    summary = {**run.summary, "missing": 2}
    result = notes_of(Run(run.path, run.header, summary))
    assert "2 expressions without a prediction count as empty masks." in result


def test_drawn_scenes_are_said_to_be_drawn(made: Made):
    run = made("one")
    drawn = Run(run.path, run.header, {**run.summary, "split": "shapes_val"})
    assert any(note.startswith("Drawn scenes") for note in notes_of(drawn))
    assert not any(note.startswith("Drawn scenes") for note in notes_of(run))


def test_both_tables_are_installed_under_their_names():
    assert {name: point.value for name, point in installed(REPORTS).items() if name in ("markdown", "latex")} == {
        "markdown": "reports.tables.markdown:render",
        "latex": "reports.tables.latex:render",
    }
    assert installed(REPORTS)["markdown"].load() is markdown.render
