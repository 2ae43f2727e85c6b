"""Random numbers that depend only on a seed, the image and the text, and not on the order or the batch."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *what: bytes | str) -> np.random.Generator:
    """A random generator for this seed and these values."""
    digest = hashlib.sha256(str(seed).encode())
    for item in what:
        digest.update(b"\0" + (item if isinstance(item, bytes) else item.encode("utf-8", "surrogatepass")))
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest()[:16], "big")))


def pixels_of(image: np.ndarray) -> bytes:
    """A hash of an image's pixels, for :func:`generator`."""
    return hashlib.sha256(image.tobytes()).digest()
