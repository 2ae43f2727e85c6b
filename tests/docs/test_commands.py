"""Every command line on the pages is one that risbench takes: commands, options and names exist."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

import click
import pytest
from helpers.pages_of_text import PAGES, command_lines

from risbench import plugins
from risbench.cli import app
from risbench.datasets import catalog
from risbench.metrics.rules.protocols import RULES

# What stands for something of the reader's own.
_OWN = {"NAME", "brightest", "brighter", "mysplit", "SPLIT", "worst", "MyMethod"}
_GROUP_OF = {"--method": plugins.METHODS, "--as": plugins.REPORTS}


def faults_in(line: str) -> list[str]:
    """What a command line names and risbench does not know."""
    words = [re.sub(r"[,;.:)]+$", "", word) for word in shlex.split(line.replace("…", " … "), comments=False)][1:]
    command: click.Command = app
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        names = words.pop(0).split("|")  # run|score|sweep
        if names == ["…"]:
            return []
        found = [command.get_command(click.Context(command), name) for name in names]
        if found[0] is None or None in found:
            return [f"no command {'|'.join(names)}"]
        command = found[0]
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help": None}
    faults = [f"no option {word}" for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    if any(word.startswith("--") for word in words) and not {"…", "--help"} & set(words):
        required = [one.opts[0] for one in command.params if one.required and one.param_type_name == "option"]
        faults += [f"lacks {option}" for option in required if option not in words]
    for option, value in pairwise(words):
        for one in value.split("|"):
            if one in _OWN or one == "…" or (option == "--method" and ".py" in one):
                continue
            group = _GROUP_OF.get(option)
            if group and command.name in ("run", "predict", "report") and one not in plugins.installed(group):
                faults.append(f"nothing installed is called {one}")
            if option == "--split" and one not in catalog.names():
                faults.append(f"no split {one}")
            if option == "--rules" and one not in RULES and not one.startswith("-"):
                faults.append(f"no rules {one}")
            if option == "--recipe" and one not in plugins.load(plugins.TRAINERS, words[0]).recipes:
                faults.append(f"no recipe {one}")
    return faults


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_names_what_exists(page: str):
    assert {line: found for line in command_lines(page) if (found := faults_in(line))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "risbench ran --method centre",
        "risbench run --method centre --split shapes_val --limits 3",
        "risbench run --method center --split shapes_val",
        "risbench run --method centre --split shapes_vall",
        "risbench report RUN --as word",
        "risbench train tris --recipe refcocos --out runs/x",
        "risbench data gets refcoco_val",
        "risbench run --method centre --limit 3",
    ],
)
def test_a_command_line_that_risbench_would_refuse_is_found(line: str):
    assert len(faults_in(line)) == 1


def test_the_pages_show_every_command():
    shown = {line.split()[1] for page in PAGES for line in command_lines(page)}
    assert set(app.list_commands(click.Context(app))) <= {name for one in shown for name in one.split("|")}
