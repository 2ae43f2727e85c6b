"""``risbench data``: one file a command."""

from __future__ import annotations

import click

from . import check, imports, leaks, where


@click.group("data")
def command() -> None:
    """Look after data sets."""


for one in (check, where, leaks, imports):
    command.add_command(one.command)
