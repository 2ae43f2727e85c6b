"""Completion on the Tab key: the script of a shell, and the values of arguments. No method and no torch is imported.

``risbench --completion bash`` prints the script. The shell then calls ``risbench`` for each Tab, and click calls these
functions with the word that was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from ... import plugins
from ...datasets import catalog, own
from ...errors import RisbenchError
from ...metrics.rules.protocols import RULES
from ...results.folder import HEADER

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_VARIABLE = "_RISBENCH_COMPLETE"
_INSTALL = {
    "bash": 'eval "$(risbench --completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(risbench --completion zsh)"  # in ~/.zshrc, after compinit',
    "fish": "risbench --completion fish | source  # in ~/.config/fish/config.fish",
}
_DEPTH = 4  # runs lie in runs/<split>/<method>/<time>
Complete = Callable[[click.Context, click.Parameter, str], list[Any]]


def script_of(shell: str, app: click.Command) -> str:
    """The script that makes a shell complete ``risbench``; its first line says where it belongs."""
    script = SHELLS[shell](app, {}, "risbench", _VARIABLE)
    source = script.source_template % script.source_vars()
    return f"# {_INSTALL[shell]}\n{source.strip()}\n"


def methods(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Installed methods; a path, such as ``./mine.py``, is completed by the shell."""
    return _from(plugins.installed(plugins.METHODS), begun) or _by_the_shell(begun)


def splits(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Known splits and the user's own."""
    names = list(catalog.names())
    with suppress(RisbenchError, OSError):  # a data root that cannot be read: the known names still help
        names += own.names(ctx.params.get("data_root"))
    return _from(names, begun)


def rules(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Rules, each with the beginning of its text."""
    return [CompletionItem(name, help=text[:60]) for name, text in RULES.items() if name.startswith(begun)]


def reports(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Installed reports."""
    return _from(plugins.installed(plugins.REPORTS), begun)


def trainers(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Installed trainers."""
    return _from(plugins.installed(plugins.TRAINERS), begun)


def runs(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Run folders below ``runs/``; any other path is completed by the shell."""
    found = _run_folders(Path("runs"), _DEPTH) if "runs/".startswith(begun[:5]) else []
    return _from([path.as_posix() for path in found], begun) or _by_the_shell(begun)


def _run_folders(folder: Path, depth: int) -> list[Path]:
    try:
        inside = sorted(item for item in folder.iterdir() if item.is_dir() and not item.is_symlink())
    except OSError:
        return []
    found: list[Path] = []
    for item in inside:
        if (item / HEADER).is_file():
            found.append(item)
        elif depth > 1 and item.name != "shards":
            found += _run_folders(item, depth - 1)
    return found


def _by_the_shell(begun: str) -> list[CompletionItem]:
    return [CompletionItem(begun, type="file")]


def _from(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]


# By the name of the parameter: the commands call the same thing by the same name.
_VALUES: dict[str, Complete] = {
    "method": methods,
    "split": splits,
    "splits": splits,
    "rules": rules,
    "runs": runs,
    "run": runs,
    "folder": runs,
    "trainer": trainers,
}


def with_values(command: click.Command, words: str) -> click.Command:
    """The command with completion of the values of its arguments and options; of a group, each of its commands."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            with_values(one, f"{words} {name}")
        return command
    for param in command.params:
        complete = reports if (words, param.name) == ("report", "kind") else _VALUES.get(param.name or "")
        if complete is not None and words.partition(" ")[0] != "weights":
            param._custom_shell_complete = complete  # what click's `shell_complete=` sets
    return command
