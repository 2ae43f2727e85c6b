"""``risbench submit``."""

from __future__ import annotations

from pathlib import Path

import click

from ...leaderboard.entry import entry_warnings, read
from ...leaderboard.submit import submit
from .. import options, show
from ..folders import RunPath


@click.command("submit")
@click.argument("run", type=RunPath())
@options.board
@click.option("--name", help="The method's name on the board [default: as in the run].")
@click.option("--replace", is_flag=True, help="Replace another run of this name.")
@options.data_root
@options.as_json
def command(
    run: Path, board: Path | None, name: str | None, replace: bool, data_root: Path | None, as_json: bool
) -> None:
    """Verify every row of RUN and write its entry to the leaderboard.

    The run must cover the whole split. The hashes of the split's files must match, and every row is scored again from
    its mask. In a checkout the board is reports/leaderboard; elsewhere give --board.
    """
    target = board if board is not None else options.own_board(to_write=True)
    with show.counting("scoring again") as on_progress:
        path = submit(run, target, data_root=data_root, name=name, replace=replace, progress=on_progress)
    for mark in entry_warnings(read(path)):
        show.say(f"warning: {mark}")
    if as_json:
        show.print_json(read(path))
        show.say(f"written: {path}")
    else:
        show.print_data(str(path))
