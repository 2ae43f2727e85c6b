"""``risbench data``: one file a command."""

from __future__ import annotations

import click

from . import check, get, imports, leaks, show, where


@click.group("data")
def command() -> None:
    """Get, import and check data sets."""


for one in (get, imports, check, where, show, leaks):
    command.add_command(one.command)
