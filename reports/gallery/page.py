"""The HTML file: written block by block, complete or not at all, with all data in JSON blocks."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from risbench.io.atomic import part_of, sweep_parts
from risbench.results.jsonlines import full

_SCRIPTS = ("masks.js", "choose.js", "draw.js", "cards.js", "address.js", "page.js")
# Inside <script> only these characters could end the block or start another; JSON can escape all of them.
_UNSAFE = {character: f"\\u{ord(character):04x}" for character in "<>&"}


class Page:
    """A page while it is written; use it as a context."""

    def __init__(self, out: Path, title: str) -> None:
        self._out = out
        self._part = part_of(out)
        head, self._tail = _template(title)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            sweep_parts(out.parent, out.name)
            self._file: IO[str] = self._part.open("w", encoding="utf-8", newline="\n")
            self._file.write(head)
        except OSError as error:
            raise full(out, error) from error

    def __enter__(self) -> Page:
        """The page itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *reason: object) -> None:
        """Put it in its place, or away if something failed."""
        try:
            if kind is None:
                self._file.write(self._tail)
            self._file.close()
            if kind is None:
                self._part.replace(self._out)
        except OSError as error:
            raise full(self._out, error) from error
        finally:
            self._part.unlink(missing_ok=True)

    def add(self, name: str, block: Any) -> None:
        """One block of data."""
        try:
            self._file.write(f'<script type="application/json" id="{name}">{block_of(block)}</script>\n')
        except OSError as error:
            raise full(self._out, error) from error


def block_of(value: Any) -> str:
    """JSON that no browser can read as markup; in ASCII, so that lone surrogates are kept."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, number in _UNSAFE.items():
        text = text.replace(character, number)
    return text


def _template(title: str) -> tuple[str, str]:
    """The page before and after its data."""
    here = files("reports.gallery")
    style = (here / "page.css").read_text(encoding="utf-8")
    script = "\n".join((here / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'(function () {{\n"use strict";\n{script}\nstart();\n}})();\n'
    # With this policy the browser itself blocks the network and all other scripts.
    policy = (
        f"default-src 'none'; img-src data: file: 'self'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = (here / "page.html").read_text(encoding="utf-8")
    head, _, tail = text.partition("<!-- data -->\n")
    head = head.replace("<!-- policy -->", html.escape(policy), 1).replace("<!-- style -->", style, 1)
    return head.replace("<!-- title -->", html.escape(title), 1), tail.replace("<!-- script -->", script, 1)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
