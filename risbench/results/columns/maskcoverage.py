"""How many masks of a ``masks.jsonl`` cover the whole image or nothing, read in pieces and without decoding a mask.

`risbench.metrics.coverage.coverage_of` counts parsed lines. Lines as a run writes them need no parser: one pattern
takes them apart, their codes are checked character by character, and pycocotools sums the runs. Any other line is
counted as `coverage_of` counts it, which refuses a broken code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
# Characters that end a number become 0, those that continue one 1, a line's end stays, all others belong to no code.
_ROLES = bytes(
    code if code == ord("\n") else ord("x") if not 48 <= code <= 111 else ord("0") if code < 80 else ord("1")
    for code in range(256)
)
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

    matches = [_LINE.fullmatch(raw) for _, raw in piece]
    texts = _codes_in([match[3] for match in matches if match is not None])
    others: list[tuple[int, bytes]] = []
    codes: list[Any] = []
    read: list[tuple[int, bytes]] = []
    cut: list[bool] = []
    for line, match in zip(piece, matches, strict=True):
        counts = None if match is None else next(texts)
        if match is None or counts is None or int(match[1]) * int(match[2]) > MOST_PIXELS:
            others.append(line)
            continue
        codes.append({"size": [int(match[1]), int(match[2])], "counts": counts})
        read.append(line)
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


def _codes_in(texts: Sequence[bytes]) -> Iterator[bytes | None]:
    """The packed run lengths in some JSON texts; None for a text that is not, or not plainly, such lengths."""
    whole = b"\n".join(texts)  # a line has no other
    code = whole.replace(b"\\\\", b"\\")
    if code.count(b"\\") == len(whole) - len(code):  # no other escape than that of a backslash
        roles = code.translate(_ROLES)
        if b"x" not in roles and _TOO_LONG not in roles and b"1\n" not in roles and roles.endswith(b"0"):
            return iter(code.split(b"\n"))
    # One is not: they are looked at one by one.
    return iter([None]) if len(texts) == 1 else (found for text in texts for found in _codes_in([text]))


def _parsed(lines: list[tuple[int, bytes]], path: Path) -> Iterator[dict[str, Any]]:
    for number, raw in lines:
        if raw.strip():
            yield object_in(raw, path, number)
