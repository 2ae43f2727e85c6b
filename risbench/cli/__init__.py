"""The command line: reads options, calls functions, prints; decides nothing.

Data goes to stdout, talk and progress to stderr. Exit codes: 0; 1 the work failed; 2 the command was wrong.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from .. import __version__
from ..errors import RisbenchError, UsageError

# Each command's module is imported when it is called, so that --help stays fast.
_COMMANDS = {
    "run": ("run", "Run a method on a split and score it."),
    "merge": ("merge", "Merge the shards of a run."),
    "score": ("score", "Score predicted masks or heats that someone sent you."),
    "list": ("lists", "List methods, splits, metrics, rules, reports or recipes."),
    "check": ("check", "Check a method's contract on a few drawn scenes."),
    "predict": ("predict", "Ask a method about one image and some texts."),
    "train": ("train", "Train a method from a recipe."),
    "weights": ("weights", "Look into files of weights, and convert them."),
    "data": ("data", "Look after data sets: check, where, leaks."),
    "report": ("report", "Tables and pictures of runs."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return import_module(f".{_COMMANDS[cmd_name][0]}", __name__).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from ..plugins import near

            ctx.fail(f"no command '{name}': {near(name, _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="risbench")
def app() -> None:
    """Evaluation and benchmark toolkit for weakly supervised referring image segmentation."""


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = app(standalone_mode=False)
    except UsageError as error:
        click.echo(f"risbench: {error}", err=True)
        sys.exit(2)
    except RisbenchError as error:
        click.echo(f"risbench: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("risbench: stopped", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of stdout has gone (`| head`); that is no failure of ours.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
