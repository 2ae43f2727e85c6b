"""A run is continued by the code that began it, and a finished run does not answer for code that was changed since."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.folders import content_of, provenance_of
from helpers.plugged import METHOD, OTHER, REFINER, Plugin, edit_method, part_of
from made_up.methods import Heats

from reports.tables import markdown
from risbench import DataWarning, Run, Split, UsageError, evaluate
from risbench.results import origin
from risbench.results.codefiles import digest_of, files_below, files_of
from risbench.running.loop import Stopped


def _edit_sibling(plugin: Plugin) -> dict[str, Any]:
    plugin.write("plugged_sibling.py", "VALUE = 0.25\n")
    return {}


def _edit_deep(plugin: Plugin) -> dict[str, Any]:
    plugin.write("plugged_home/inner/loaded_by_name.py", "VALUE = 0.25\n")
    return {}


def _edit_refiner(plugin: Plugin) -> dict[str, Any]:
    plugin.write("plugged_refiner.py", REFINER.format(value=0.75))
    return {"refine": "plugged"}


def _edit_weights(plugin: Plugin) -> dict[str, Any]:
    plugin.write("weights.bin", "other")
    return {"weights": str(plugin.folder / "weights.bin")}


def _edit_file_of_option(plugin: Plugin) -> dict[str, Any]:
    plugin.write("vocabulary.txt", "other")
    return {"options": {"words": str(plugin.folder / "vocabulary.txt")}}


def _edit_folder_of_option(plugin: Plugin) -> dict[str, Any]:
    plugin.write("clip/model.safetensors", "other")
    return {"options": {"words": str(plugin.folder / "clip")}}


def _as_package(plugin: Plugin) -> None:
    (plugin.folder / "plugged_home.py").unlink()
    plugin.method(file="plugged_home/__init__.py")
    plugin.write("plugged_home/inner/loaded_by_name.py", "VALUE = 0.5\n")


_EDITS: dict[str, tuple[Callable[[Plugin], Any], Callable[[Plugin], dict[str, Any]], str]] = {
    "its single file": (
        lambda plugin: None,
        edit_method,
        r"the code of the method was changed, last in plugged_home\.py",
    ),
    "a module beside it": (
        lambda plugin: (
            plugin.write("plugged_sibling.py", "VALUE = 0.5\n"),
            plugin.method(more="import plugged_sibling"),
        ),
        _edit_sibling,
        r"the code of the method was changed, last in plugged_sibling\.py \(plugged 0\.3 then, plugged 0\.3 now\)",
    ),
    "a module beside it, imported late": (
        lambda plugin: (
            plugin.write("plugged_sibling.py", "VALUE = 0.5\n"),
            plugin.method(more="def late():\n    from plugged_sibling import VALUE\n    return VALUE\n"),
        ),
        _edit_sibling,
        r"plugged_sibling\.py",
    ),
    "a module of its package that nothing imports by name": (_as_package, _edit_deep, r"inner/loaded_by_name\.py"),
    "its refiner": (lambda plugin: None, _edit_refiner, "the code of the refiner was changed"),
    "its weights, in place": (
        lambda plugin: plugin.write("weights.bin", "first"),
        _edit_weights,
        r"the file that weights names was changed \(SHA-256 \w{12} then",
    ),
    "a file that an option names": (
        lambda plugin: (plugin.write("vocabulary.txt", "first"), plugin.method(options=", words: str = ''")),
        _edit_file_of_option,
        "the file that words names was changed",
    ),
    "a folder that an option names": (
        lambda plugin: (plugin.write("clip/model.safetensors", "first"), plugin.method(options=", words: str = ''")),
        _edit_folder_of_option,
        "the file that words names was changed",
    ),
}


@pytest.mark.parametrize("kind", _EDITS)
def test_a_finished_run_does_not_answer_for_what_was_edited(split: Split, plugin: Plugin, tmp_path: Path, kind: str):
    prepare, edit, result = _EDITS[kind]
    prepare(plugin)
    # What is edited is given from the start.
    content = {file: file.read_bytes() for file in plugin.folder.rglob("*") if file.is_file()}
    words = edit(plugin)
    for file, before in content.items():
        file.write_bytes(before)
    plugin.forget()
    evaluate("plugged", split, out=tmp_path / "run", **words)
    made = content_of(tmp_path / "run"), (tmp_path / "run" / "header.json").read_bytes()
    evaluate("plugged", split, out=tmp_path / "run", **words)
    edit(plugin)
    with pytest.raises(UsageError, match=OTHER) as raised:
        evaluate("plugged", split, out=tmp_path / "run", **words)
    assert re.search(result, str(raised.value)), raised.value
    assert "\n" not in str(raised.value)
    assert (content_of(tmp_path / "run"), (tmp_path / "run" / "header.json").read_bytes()) == made
    anew = evaluate("plugged", split, out=tmp_path / "run", overwrite=True, **words)
    assert len(provenance_of(anew.path)) == 1
    evaluate("plugged", split, out=tmp_path / "run", **words)


def test_rows_of_edited_code_do_not_follow_others_after_a_crash(split: Split, plugin: Plugin, tmp_path: Path):
    with pytest.raises(Stopped):
        evaluate("plugged", split, out=tmp_path / "run", stop=lambda: True)
    rows = (tmp_path / "run" / "rows.jsonl").read_bytes()
    plugin.method(0.25)
    with pytest.raises(UsageError, match=OTHER):
        evaluate("plugged", split, out=tmp_path / "run")
    assert (tmp_path / "run" / "rows.jsonl").read_bytes() == rows
    plugin.method()
    assert evaluate("plugged", split, out=tmp_path / "run").summary["count"] == len(split)


def test_rows_scored_by_edited_rules_do_not_mix(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Stopped):
        evaluate(Heats(), split, out=tmp_path, stop=lambda: True)
    edited = {**origin.scoring_origin(), "sha256": "0" * 64}
    monkeypatch.setattr(origin, "scoring_origin", lambda: edited)
    with pytest.raises(UsageError, match="made by other code: the code that scores was changed"):
        evaluate(Heats(), split, out=tmp_path)


def test_what_scores_is_all_of_risbench_but_what_touches_no_row():
    folder = Path(origin.__file__).parents[1]
    names = {file.name for file in files_below(folder, ("cli", "leaderboard"))}
    assert {
        "risbench/metrics/rules/tris.py",
        "risbench/masks/lazy.py",
        "risbench/scorer.py",
        "risbench/datasets/split.py",
    } <= names
    assert not [name for name in names if "/cli/" in name or "/leaderboard/" in name or "__pycache__" in name]
    assert origin.scoring_origin()["sha256"] == digest_of(
        sorted(files_below(folder, ("cli", "leaderboard")), key=lambda file: file.name)
    )


def test_the_code_of_an_object_is_its_class_and_what_that_imports(split: Split, plugin: Plugin, tmp_path: Path):
    plugin.write("plugged_sibling.py", "VALUE = 0.5\n")
    plugin.method(more="import plugged_sibling")

    def run() -> Any:
        return evaluate(importlib.import_module("plugged_home").make(), split, out=tmp_path / "run")

    assert run().header["origin"]["method"]["code"] == "plugged_home:Plugged"
    run()
    plugin.write("plugged_sibling.py", "VALUE = 0.25\n")
    with pytest.raises(UsageError, match=OTHER):
        run()


def test_the_code_of_a_bound_function_is_the_functions(plugin: Plugin):
    made = importlib.import_module("plugged_home").make()
    found = origin.origin_of(types.SimpleNamespace(predict=made.predict, card={}))
    assert found["method"]["sha256"] == origin.origin_of(made)["method"]["sha256"]
    assert origin.is_known(found)


def test_what_is_not_its_code_stops_nothing(split: Split, plugin: Plugin, tmp_path: Path):
    evaluate("plugged", split, out=tmp_path / "run")
    plugin.write("unrelated.py", "VALUE = 1\n")
    plugin.write("README.md", "words")
    plugin.write(".#plugged_home.py", "an editor's lock")
    os.utime(plugin.folder / "plugged_home.py")
    assert evaluate("plugged", split, out=tmp_path / "run").summary["count"] == len(split)


def _git(folder: Path, *words: str) -> None:
    name = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *name, *words], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_commit_and_changes_are_recorded_and_a_commit_elsewhere_stops_nothing(split, plugin: Plugin, tmp_path: Path):
    _git(plugin.folder, "init", "-q")
    evaluate("plugged", split, out=tmp_path / "first")
    assert part_of(tmp_path / "first")["method"]["commit"] is None  # nothing is committed yet
    _git(plugin.folder, "add", ".")
    _git(plugin.folder, "commit", "-qm", "one")
    plugin.method(0.25)
    evaluate("plugged", split, out=tmp_path / "run")
    method = part_of(tmp_path / "run")["method"]
    assert method["commit"].endswith("+changes")
    assert len(method["commit"]) == 40 + len("+changes")
    assert (method["distribution"], method["version"], method["files"]) == ("plugged", "0.3", 1)
    plugin.write("README.md", "words")
    _git(plugin.folder, "add", ".")
    _git(plugin.folder, "commit", "-qm", "two")
    evaluate("plugged", split, out=tmp_path / "run")
    plugin.method(0.125)
    with pytest.raises(UsageError, match=r"plugged 0\.3 at commit \w{10}\+changes now"):
        evaluate("plugged", split, out=tmp_path / "run")


def test_without_git_the_hash_decides(split: Split, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    evaluate("plugged", split, out=tmp_path / "run")
    assert part_of(tmp_path / "run")["method"]["commit"] is None
    plugin.method(0.25)
    with pytest.raises(UsageError, match=OTHER):
        evaluate("plugged", split, out=tmp_path / "run")


def test_a_class_of_no_file_is_of_unknown_origin_and_this_is_said(split: Split, tmp_path: Path):
    module = types.ModuleType("typed_in")
    exec(compile(METHOD.format(value=0.5, more="", options=""), "<stdin>", "exec"), vars(module))
    method = module.make()
    evaluate(method, split, out=tmp_path)
    assert part_of(tmp_path)["method"] == {
        **part_of(tmp_path)["method"],
        **{"sha256": None, "complete": False, "commit": None},
    }
    with pytest.warns(DataWarning, match="the code that made its rows is not recorded"):
        evaluate(method, split, out=tmp_path)


def test_a_finished_run_says_since_when_and_is_left_alone(split: Split, tmp_path: Path):
    result: list[str] = []
    evaluate(Heats(), split, out=tmp_path, on_message=result.append)
    assert result == []
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir() if file.is_file()}
    evaluate(Heats(), split, out=tmp_path, on_message=result.append)
    finished = provenance_of(tmp_path)[0]["finished"]
    assert result == [f"{tmp_path}: complete since {finished}, so nothing was run"]
    assert before == {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in before}


def _older(out: Path) -> None:
    header = json.loads((out / "header.json").read_text())
    del header["origin"]
    for part in header["provenance"]:
        part.pop("finished", None)
    (out / "header.json").write_text(json.dumps(header))


def test_a_finished_run_of_before_gives_its_figures_and_says_that_its_code_is_unknown(split: Split, tmp_path: Path):
    first = evaluate(Heats(), split, out=tmp_path)
    _older(tmp_path)
    result: list[str] = []
    assert evaluate(Heats(), split, out=tmp_path, on_message=result.append).summary == first.summary
    assert len(result) == 2
    assert "the code that made its rows is not recorded" in result[0]
    assert "Z, so nothing was run" in result[1]
    assert "origin" not in json.loads((tmp_path / "header.json").read_text())


def test_an_unfinished_run_of_before_goes_on_and_bears_the_mark(split: Split, tmp_path: Path):
    with pytest.raises(Stopped):
        evaluate(Heats(), split, out=tmp_path, stop=lambda: True)
    _older(tmp_path)
    with pytest.warns(DataWarning, match="is not recorded"):
        evaluate(Heats(), split, out=tmp_path)
    assert part_of(tmp_path)["unknown_rows"] is True
    assert not origin.is_known(part_of(tmp_path))
    assert "some rows may be from other code" in (markdown.render([Run.load(tmp_path)]) or "")


@pytest.mark.parametrize("odd", [None, [], "text", {"method": []}, {"method": {"sha256": 3}}, {"inputs": 7}])
def test_a_strangers_origin_of_any_form_is_unknown_and_no_fault(odd: object):
    assert not origin.is_known(odd)
    assert origin.code_difference(odd, origin.origin_of(Heats())) is None


def test_installed_libraries_are_not_code(plugin: Plugin):
    plugin.method(more="import torch, scipy.ndimage, json as j, os; from PIL import Image")
    assert [file.name for file in files_of(["plugged_home"])] == ["plugged_home.py"]


def test_a_folder_of_data_that_bears_the_name_of_an_import_is_not_walked(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
):
    plugin.write("plugged_data/images/script.py", "")
    plugin.method(more="import plugged_data")
    assert [file.name for file in files_of(["plugged_home"])] == ["plugged_home.py"]
    importlib.import_module("plugged_data.images.script")
    assert [file.name for file in files_of(["plugged_home"])][-1] == "plugged_home.py"
    assert len(files_of(["plugged_home"])) == 2
