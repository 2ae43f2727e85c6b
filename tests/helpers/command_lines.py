"""Helpers of the tests of the command line."""

from __future__ import annotations

from importlib.metadata import version

# Since 8.4 click names near commands, and quotes near options.
NEW_CLICK = tuple(map(int, version("click").split(".")[:2])) >= (8, 4)


START = "from risbench.cli import main; main()"
