"""How many masks of a ``masks.jsonl`` cover the whole image or nothing, read in pieces and without decoding a mask.

`risbench.metrics.coverage.coverage_of` counts parsed lines. Lines as a run writes them need no parser: one pattern
takes them apart, their codes are checked character by character, and pycocotools sums the runs. Any other line is
counted as `coverage_of` counts it, which refuses a broken code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ...io import reading
from ...masks import MOST_PIXELS
from ...metrics.coverage import NEARLY_ALL, Count, Coverage, coverage_of
from ..jsonlines import object_in

_PIECE = 128  # lines read together; pycocotools takes at most 255 codes at once
_NUMBER = rb"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,17})?"
_SIDE = rb"([1-9]\d{0,8})"
_LINE = re.compile(
    rb'\{"id": "[ !#-\[\]-~]*", "segmentation": \{"size": \[' + _SIDE + rb", " + _SIDE + rb'\], "counts": "([^"]+)"\}'
    + rb'(, "cut": "[a-z]+")?(?:, "found": "[a-z]+")?(?:, "point": \[' + _NUMBER + rb", " + _NUMBER + rb"\])?"
    + rb"\}\n?"
)  # fmt: skip
# Characters that end a number become 0, those that continue one 1, all others are no characters of a code.
_ROLES = bytes(ord("x") if not 48 <= code <= 111 else ord("0") if code < 80 else ord("1") for code in range(256))
_TOO_LONG = b"111111"  # of a number that no real image needs


def coverage_in(path: Path) -> Coverage:
    """The counts of a file's masks.

    Raises:
        DataError: the file is absent, or a line is broken.
        MaskError: a line has no mask, or a malformed run-length code.
    """
    found = Coverage()
    lines = reading.lines_of(path)
    while piece := list(islice(lines, _PIECE)):
        found = found.plus(_counted(piece, path))
    return found


def _counted(piece: list[tuple[int, bytes]], path: Path) -> Coverage:
    coco = _coco()

    others: list[tuple[int, bytes]] = []
    codes: list[Any] = []
    read: list[tuple[int, bytes]] = []
    cut: list[bool] = []
    for number, raw in piece:
        match = _LINE.fullmatch(raw)
        counts = None if match is None else _code_in(match[3])
        if match is None or counts is None or int(match[1]) * int(match[2]) > MOST_PIXELS:
            others.append((number, raw))
            continue
        codes.append({"size": [int(match[1]), int(match[2])], "counts": counts})
        read.append((number, raw))
        cut.append(match[4] is not None)
    found = Coverage()
    if codes:
        shares = np.asarray(coco.area(codes)) / np.array([code["size"] for code in codes]).prod(axis=1)
        others += [read[place] for place in np.flatnonzero(shares > 1).tolist()]  # malformed
        own = np.array(cut)
        found = Coverage(*(_count(shares[(own == made) & (shares <= 1)]) for made in (True, False)))
    return found.plus(coverage_of(_parsed(others, path)))


def _count(shares: np.ndarray) -> Count:
    return Count(len(shares), int((shares >= NEARLY_ALL).sum()), int((shares == 0).sum()))


def _coco() -> Any:
    # Imported here, so that the program starts fast; untyped, because the library's type stubs are incomplete.
    from pycocotools import mask

    return mask


def _code_in(text: bytes) -> bytes | None:
    """The packed run lengths in a JSON text; None if they are not, or not plainly, such lengths."""
    code = text
    if b"\\" in text:
        if b"\\" in text.replace(b"\\\\", b""):  # another escape than that of a backslash
            return None
        code = text.replace(b"\\\\", b"\\")
    roles = code.translate(_ROLES)
    return code if roles.endswith(b"0") and b"x" not in roles and _TOO_LONG not in roles else None


def _parsed(lines: list[tuple[int, bytes]], path: Path) -> Iterator[dict[str, Any]]:
    for number, raw in lines:
        if raw.strip():
            yield object_in(raw, path, number)
