"""Read what a program writes to a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator


def pieces_of(terminal: int) -> Iterator[bytes]:
    """What arrives at a terminal's other side, piece by piece, up to its end; it is closed then."""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux tells the end of a terminal
            break
        if not piece:
            break
        yield piece
    os.close(terminal)
