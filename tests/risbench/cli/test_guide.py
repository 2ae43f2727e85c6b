"""Help shows groups and examples that work, shells complete names, and lists show options and recipes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from helpers.commands import Ask

from risbench import plugins
from risbench.cli import app, folders
from risbench.cli.guide.completion import SHELLS
from risbench.cli.guide.examples import EXAMPLES, GROUPS
from risbench.datasets import catalog
from risbench.metrics.rules.protocols import RULES


def _commands(group: click.Group = app, words: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


COMMANDS = dict(_commands())


def test_every_command_stands_in_one_group_and_has_three_examples(ask: Ask):
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(app.list_commands(click.Context(app))) <= set(grouped)
    assert [title for title in GROUPS if f"\n{title}:\n" not in ask("-h").out] == []
    assert [words for words in COMMANDS if len(EXAMPLES.get(words, ())) != 3] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_each_help_shows_its_examples_whole_and_takes_h(ask: Ask, words: str):
    result = ask(*words.split(), "-h")
    assert result.code == 0
    assert all(f"  {line}\n" in result.out for line in EXAMPLES[words])


@pytest.mark.parametrize("line", [line for words in COMMANDS for line in EXAMPLES[words]])
def test_each_example_is_one_that_the_command_takes(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.json").write_text("{}")  # the one file that must exist before a command begins
    words = shlex.split(line)[1:]
    monkeypatch.setattr(folders, "_last", lambda number: Path(f"runs/{number}"))
    # click keeps the names of the help option from the first context in which a command is used.
    context, command = click.Context(app, **app.context_settings), app
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
        assert command is not None, line
    given = command.make_context(
        line, words, parent=context
    ).params  # refuses unknown options, missing and surplus arguments
    method = given.get("method")
    if isinstance(method, str) and line.split()[1] != "weights":
        assert method in plugins.installed(plugins.METHODS) or ".py" in method
    if isinstance(given.get("split"), str):
        assert given["split"] in catalog.names()
    if isinstance(given.get("rules"), str):
        assert given["rules"] in RULES
    if line.startswith("risbench report"):
        assert given["kind"] is None or given["kind"] in plugins.installed(plugins.REPORTS)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("risbench run --method clip_g", ["plain,clip_gae", "plain,clip_gradcam"]),
        ("risbench check oracle_b", ["plain,oracle_box"]),
        ("risbench run --method ./m", ["file,./m"]),
        ("risbench data check shapes_t", ["plain,shapes_train", "plain,shapes_test"]),
        ("risbench score x --rules cl", ["plain,clean"]),
        ("risbench report r --as la", ["plain,latex"]),
        ("risbench compare ru", ["plain,runs/shapes_val/mine/one"]),
        ("risbench train la", ["plain,lavt"]),
    ],
)
def test_names_are_completed(words: str, wanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_RISBENCH_COMPLETE", "bash_complete")
    run = tmp_path / "runs/shapes_val/mine/one"
    run.mkdir(parents=True)
    (run / "header.json").write_text("{}")
    (tmp_path / "runs/shapes_val/none").mkdir()
    *typed, begun = words.split(" ")[1:]
    shell = SHELLS["bash"](app, {}, "risbench", "_RISBENCH_COMPLETE")
    assert [shell.format_completion(item) for item in shell.get_completions(typed, begun)] == wanted


def test_a_shells_call_is_answered_without_torch():
    typed = "risbench run --method tri"
    program = (
        "import sys; from risbench.cli import main\n"
        "try: main()\n"
        "finally: print([name for name in ('torch', 'pandas', 'baselines') if name in sys.modules])"
    )
    call = {"COMP_WORDS": typed, "COMP_CWORD": "3", "_RISBENCH_COMPLETE": "bash_complete"}
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, env={**os.environ, **call}, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["plain,tris", "[]", ""]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_printed_and_is_one(ask: Ask, shell: str, tmp_path: Path):
    result = ask("--completion", shell)
    assert result.code == 0
    assert f"_RISBENCH_COMPLETE={shell}_complete" in result.out
    assert result.out.startswith("# ")
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(result.out)
        assert subprocess.run([program, "-n", tmp_path / "script"], check=False).returncode == 0


def test_recipes_are_named_by_trainer_by_both_or_alone_and_listed_once(ask: Ask):
    table = ask("list", "recipes").out
    assert table.count("refcoco_one") == 1
    assert "lavt" in ask("list", "recipes", "lavt").out
    whole = ask("list", "recipes", "lavt/shapes", "--json")
    (entry,) = json.loads(whole.out)
    assert (entry["trainer"], entry["name"], entry["values"]["lavt"]["batch"]) == ("lavt", "shapes", 16)
    text = ask("list", "recipes", "lavt/shapes").out
    assert "risbench train lavt --recipe shapes" in text
    assert "lavt.batch = 16" in text
    assert "lavt.mirror = true" in text
    assert "wwbl/referit" in ask("list", "recipes", "referit").out


def test_a_methods_options_are_listed_with_kinds_defaults_and_meaning(ask: Ask):
    (entry,) = json.loads(ask("list", "methods", "tris", "--json").out)
    options = {one["name"]: one for one in entry["options"]}
    assert (options["batch"]["kind"], options["batch"]["default"]) == ("int", 16)
    assert options["prms"]["default"] == "false"
    assert {"weights", "device", "split"}.isdisjoint(options)
    assert options["batch"]["text"].endswith("where that changes no bit.")
    assert "precision    float32|tf32|bf16|auto, default float32" in ask("list", "methods", "tris").out


def test_the_card_of_a_plugin_whose_factory_does_not_name_it_is_shown(ask: Ask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "plugin")
    (entry,) = json.loads(ask("list", "methods", "brightest", "--json").out)
    assert entry["card"]["supervision"] == "none"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("run --method trsi --split shapes_val", "'tris'"),
        ("run --method tris --split shapes_vall", "shapes_val"),
        ("run --method tris --split shapes_val --rules claen", "'clean'"),
        ("run --method tris --split shapes_val --metrics mIoUu", "mIoU"),
        ("run --method tris --split shapes_val --set keep_edn=1", "'keep_end'"),
        ("train tris --recipe shpes --out x", "'shapes'"),
        ("train trsi --recipe shapes", "'tris'"),
        ("report none --as latx", "'latex'"),
        ("report none --metrics mIoUu", "mIoU"),
        ("compare none --metrics PointN", "Point"),
        ("score none --split refcoco_vall", "refcoco_val"),
        ("list recipes lavtt", "'lavt'"),
        ("list recipes tris/shpes", "'shapes'"),
        ("list methods clip_smi", "'clip_sim'"),
        ("leaderboard --split shapes_tset", "shapes_test"),
        ("leaderboard --metrics mIuO", "mIoU"),
        ("weights show x --of trsi", "'tris'"),
        ("data where refcoco_vla", "refcoco_val"),
    ],
)
def test_a_typo_is_refused_before_any_work_with_the_nearest_name(ask: Ask, words: str, name: str, tmp_path: Path):
    result = ask(*words.split())
    *before, last = result.err.splitlines()
    assert result.code == 2
    assert name in last
    assert all(line.startswith("device:") for line in before)
    assert list(tmp_path.iterdir()) == []
