"""The command line: reads options, calls functions, prints; decides nothing.

Data go to stdout, messages and progress to stderr. Exit codes: 0 success, 1 the work failed, 2 the command was wrong,
141 the reader of a pipe closed it.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from .. import __version__
from ..errors import TRACEBACK, RisbenchError, UsageError
from ..faults import one_line
from ..plain import visible
from . import streams
from .guide.examples import in_groups, with_examples

# The reader closed the pipe, as `| head` does. Shells report this code for any tool that ends so. 0 would be untrue,
# because messages in the same pipe are lost.
_CLOSED_PIPE = 128 + signal.SIGPIPE
# Errors of a failed write to standard output; an error about a file carries the file's name.
_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF)
_COMPLETING = "_RISBENCH_COMPLETE"  # click's, set by the shell that asks for completion
# Each command's module is imported when it is called, so that --help stays fast.
_COMMANDS = {
    "run": ("run", "Run a method on a split and score it."),
    "merge": ("merge", "Merge the shards of a run."),
    "score": ("score", "Score predicted masks or heats that someone sent you."),
    "list": ("lists", "List methods, splits, metrics, rules, reports or recipes."),
    "check": ("check", "Check a method's contract on a few drawn scenes."),
    "predict": ("predict", "Predict masks for one image and one or more texts."),
    "train": ("train", "Train a method from a recipe."),
    "weights": ("weights", "Inspect weights files, and convert them."),
    "data": ("data", "Data sets: get, import, check, where, show, leaks."),
    "runs": ("runs", "List past runs, the newest first."),
    "report": ("report", "Make tables and pictures of runs."),
    "export": ("share.export", "Write runs as COCO files, for FiftyOne and pycocotools."),
    "compare": ("compare", "Test whether runs differ, overall and by kind of expression."),
    "sweep": ("sweep", "Score saved heats at several thresholds."),
    "leaderboard": ("share.leaderboard", "Rank the submitted runs."),
    "submit": ("share.submit", "Verify every row of a run and put it on the leaderboard."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = with_examples(import_module(f".{_COMMANDS[cmd_name][0]}", __name__).command, cmd_name)
        if _COMPLETING in os.environ:
            from .guide.completion import with_values

            with_values(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            from ..plugins import near

            ctx.fail(f"no command '{name}': {near(name, _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in in_groups({name: text for name, (_, text) in _COMMANDS.items()}).items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _print_completion(ctx: click.Context, param: click.Parameter, shell: str | None) -> None:
    if shell is not None and not ctx.resilient_parsing:
        from .guide.completion import script_of

        click.echo(script_of(shell, app), nl=False)
        ctx.exit()


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="`risbench COMMAND -h` shows a command's options and examples.",
)
@click.version_option(__version__, prog_name="risbench")
@click.option(
    "--completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    is_eager=True,
    expose_value=False,
    callback=_print_completion,
    help="Print the script that completes commands, options and values in this shell; its first line says where to "
    "put it.",
)
def app() -> None:
    """Evaluation and benchmark toolkit for weakly supervised referring image segmentation."""


def main() -> None:
    """Run the command line and exit with its code; an error is one line on stderr."""
    streams.prepare()
    # At its end Python searches all that was imported for garbage, several times; with torch that takes 0.4 s.
    atexit.register(gc.freeze)
    with streams.warnings_as_lines(), streams.ending_cleanly():
        _run()


def _run() -> NoReturn:
    try:
        code = app(prog_name="risbench", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        _fail(str(error), 2, getattr(error, "__notes__", ()))
    except RisbenchError as error:
        if os.environ.get(TRACEBACK):
            streams.write_error("".join(traceback.format_exception(error)).rstrip())
        _fail(str(error), 1, getattr(error, "__notes__", ()))
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            streams.write_error(error.format_message())
            sys.exit(2)
        path = error.ctx.command_path if error.ctx else "risbench"
        _fail(f"{error.format_message()} (see `{path} --help`)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped; give the same command again", 1)
    except SystemExit:
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # click's mark of a pipe that was closed
            sys.exit(_CLOSED_PIPE)
        raise
    except BrokenPipeError:
        streams.silence(sys.stdout, sys.stderr)
        sys.exit(_CLOSED_PIPE)
    except Exception as error:
        _fail(_line_about(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _line_about(error: Exception) -> str:
    """The one-line message for an exception that is not a `RisbenchError`.

    Raises:
        Exception: the same exception, if it is a bug of this program, so that its traceback is printed.
    """
    if line := one_line(error):  # a method's
        if os.environ.get(TRACEBACK):
            raise error
        return line
    if isinstance(error, UnicodeEncodeError) and sys.getfilesystemencoding() != "utf-8":
        # The streams accept every character, so this is the name of a file.
        return f"{error.object[:200]}: no file can be called so in this locale: set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _WRITING:
        streams.silence(sys.stdout)
        return f"standard output: {error.strerror}"
    raise error


def _fail(text: str, code: int, notes: Sequence[str] = ()) -> NoReturn:
    for line in (f"risbench: {text}", *notes):
        streams.write_error(visible(line))
    sys.exit(code)
