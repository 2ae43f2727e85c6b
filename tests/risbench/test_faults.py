"""A method that raises is named with its line; the work done before is kept, and nothing untried is called right."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from helpers.commands import Ask

from risbench import RisbenchError, plugins
from risbench.datasets.load import load_split
from risbench.faults import described, one_line
from risbench.methods.contract_check import check_method

SOURCE = """
import json

import numpy as np


class Broken:
    card = {"grade": "native", "supervision": "text"}
    turn = 0

    def predict(self, image, texts):
        self.turn += 1
        if self.turn > LIMIT:
            return json.loads("{")  # raised in a library: the line to look at is this one
        return [np.ones(image.shape[:2], dtype=bool) for _ in texts]

    def predict_many(self, images, texts):
        return [self.predict(image, words) for image, words in zip(images, texts)]


def make(limit: int = 2):
    global LIMIT
    LIMIT = limit
    if limit < 0:
        raise RuntimeError("no such limit")
    return Broken()
"""
LINE = (
    SOURCE.splitlines().index(
        '            return json.loads("{")  # raised in a library: the line to look at is this one'
    )
    + 1
)


ENDS = {
    "predict": "raise SystemExit(0)",
    "pipe": "raise BrokenPipeError('the worker went away')",
    "click": "import click; raise click.exceptions.Exit(0)",
    "cancelled": "import asyncio; raise asyncio.CancelledError()",
}


@pytest.mark.parametrize("how", ENDS)
def test_a_method_that_ends_the_program_does_not_pass_for_success(broken: Path, ask: Ask, tmp_path: Path, how: str):
    broken.write_text(SOURCE.replace('return json.loads("{")', ENDS[how]))
    for words in (
        ("check", "broken", "--set", "limit=0"),
        (
            "run",
            "--method",
            "broken",
            "--set",
            "limit=0",
            "--split",
            "shapes_val",
            "--limit",
            "1",
            "--out",
            tmp_path / how,
        ),
    ):
        done = ask(*words)
        assert done.code == 1, words
        assert "broken_method.py:" in done.out + done.err


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an installed method `broken`, which answers a few times and then raises."""
    file = tmp_path / "plugin" / "broken_method.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    (file.parent / "broken_import.py").write_text("import json\n\njson.loads('[')\n")
    monkeypatch.syspath_prepend(file.parent)
    points = {
        name: EntryPoint(name, target, plugins.METHODS)
        for name, target in (
            ("broken", "broken_method:make"),
            ("unread", "broken_import:make"),
            ("outer", "broken_outer:make"),
        )
    }
    installed = plugins.installed
    monkeypatch.setattr(plugins, "installed", lambda group: {**installed(group), **points})
    yield file
    sys.modules.pop("broken_method", None)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("x = 1\ny = = 2\n", "SyntaxError: invalid syntax ({file}:2)"),
        ("if True:\nx = 1\n", "IndentationError: expected an indented block after 'if' statement on line 1 ({file}:2)"),
    ],
)
def test_code_that_is_no_python_is_named_with_its_whole_path_and_line(broken: Path, ask: Ask, source: str, fault: str):
    file = broken.with_name("broken_import.py")
    file.write_text(source)
    for words in (("run", "--method", "unread", "--split", "shapes_val"), ("check", "unread")):
        result = ask(*words)
        message = f"risbench: 'unread' (broken_import:make) cannot be imported: {fault.format(file=file)}"
        assert (result.code, result.err.splitlines()[-1]) == (1, message)
    # The same of what the method's own module imports.
    broken.with_name("broken_outer.py").write_text("import broken_import\n")
    with pytest.raises(RisbenchError, match=f"{file}:2"):
        plugins.load(plugins.METHODS, "outer")


def test_run_says_image_type_message_and_line_in_one_line(broken: Path, ask: Ask):
    result = ask("run", "--method", "broken", "--split", "shapes_val", "--limit", 4, "--out", "out")
    last = result.err.splitlines()[-1]
    assert result.code == 1
    assert "Traceback" not in result.err
    assert last.startswith("risbench: JSONDecodeError: Expecting property name")
    assert "raised while predicting shapes_val/" in last
    assert f"{broken}:{LINE} in predict" in last
    assert "RISBENCH_TRACEBACK=1" in last
    assert len({json.loads(row)["image_id"] for row in Path("out/rows.jsonl").read_text().splitlines()}) == 2


def test_the_whole_traceback_is_there_for_who_wants_it(broken: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RISBENCH_TRACEBACK", "1")
    with pytest.raises(json.JSONDecodeError):
        ask("run", "--method", "broken", "--split", "shapes_val", "--limit", 4, "--out", "out")


def test_predict_and_making_a_method_say_the_line_too(broken: Path, ask: Ask, tmp_path: Path):
    picture = next(iter(load_split("shapes_val"))).image_path
    result = ask("predict", "--method", "broken", "--set", "limit=0", picture, "x")
    assert (result.code, f"{broken}:{LINE} in predict" in result.err) == (1, True)
    result = ask("run", "--method", "broken", "--set", "limit=-1", "--split", "shapes_val", "--out", "out")
    assert result.code == 1
    assert "RuntimeError: no such limit; raised while making method 'broken', at" in result.err


def test_a_module_that_cannot_be_imported_is_one_line_and_hides_no_other_method(broken: Path, ask: Ask):
    result = ask("run", "--method", "unread", "--split", "shapes_val")
    assert result.code == 1
    assert (
        f"JSONDecodeError: Expecting value: line 1 column 2 (char 1) ({broken.with_name('broken_import.py')}:3"
        in result.err
    )
    listed = ask("list", "methods")
    assert listed.code == 0
    assert "centre" in listed.out


def test_check_says_the_line_and_calls_nothing_right_that_was_not_tried(broken: Path, ask: Ask):
    result = ask("check", "broken", "--set", "limit=1")
    assert result.code == 1
    assert f"{broken}:{LINE} in predict" in result.out
    assert "FAIL predict returns a mask or a heat" in result.out
    assert "ok   predict_many" not in result.out
    assert result.out.count("--  ") == 8
    found = json.loads(ask("check", "broken", "--set", "limit=1", "--json").out)
    assert [finding["holds"] for finding in found] == [True, False, *[None] * 8]


def test_what_fails_later_leaves_the_rest_tried(broken: Path):
    module = __import__("broken_method")
    findings = check_method(module.make(4), load_split("shapes_val"), images=3)
    assert findings[1].holds
    assert not any(finding.holds is None for finding in findings)
    assert any(f":{LINE} in predict" in finding.detail for finding in findings)


def test_the_innermost_line_of_the_code_in_question_is_named():
    with pytest.raises(ValueError, match="Expecting") as raised:
        json.loads("{")
    assert f"{__file__}:" in described(raised.value)
    assert f"{__file__}:" in described(raised.value, test_the_innermost_line_of_the_code_in_question_is_named)
    assert one_line(raised.value) is None
    assert described(KeyError("a")) == "KeyError: 'a'"
    assert described(MemoryError(), ModuleType("x")) == "MemoryError"
