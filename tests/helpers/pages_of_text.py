"""The pages of the documentation, and the content of their code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(TOP).as_posix()
    for path in (
        *TOP.glob("*.md"),
        *(TOP / "docs").rglob("*.md"),
        *(TOP / "examples").glob("*.md"),
        TOP / "baselines/README.md",
        TOP / "tris_model/README.md",
        TOP / "reports/gpu/README.md",
    )
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")


def text_of(page: str) -> str:
    """The text of a page."""
    return (TOP / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code of a language."""
    return [body for found, body in _BLOCK.findall(text_of(page)) if found == language]


def spans(page: str) -> list[str]:
    """What stands between single back ticks outside of blocks, a line break as a space."""
    return [" ".join(span.split()) for span in _SPAN.findall(_BLOCK.sub("", text_of(page)))]


def command_lines(page: str) -> Iterator[str]:
    """Every command line of risbench on a page, in blocks and between back ticks."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _commands(line.partition(" #")[0])
            # A comment may name commands, too.
            yield from (one for span in _SPAN.findall(line.partition(" #")[2]) for one in _commands(span))
    for span in spans(page):
        yield from _commands(span)


def _commands(line: str) -> Iterator[str]:
    for part in line.split("&&"):
        if (words := part.strip().removeprefix("torchrun -m ")).startswith("risbench "):
            yield words
