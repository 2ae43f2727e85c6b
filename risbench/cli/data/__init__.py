"""``risbench data``: one file a command."""

from __future__ import annotations

import click

from . import check, get, leaks, where


@click.group("data")
def command() -> None:
    """Look after data sets."""


for one in (get, check, where, leaks):
    command.add_command(one.command)
