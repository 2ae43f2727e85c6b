"""``risbench data``: one file a command."""

from __future__ import annotations

import click

from . import check, leaks, where


@click.group("data")
def command() -> None:
    """Look after data sets."""


for one in (check, where, leaks):
    command.add_command(one.command)
