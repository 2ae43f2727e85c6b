"""Chance that depends on nothing but a seed, the picture and the words: the same in every order and batch."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *what: bytes | str) -> np.random.Generator:
    """A random generator for this seed and these things."""
    digest = hashlib.sha256(str(seed).encode())
    for item in what:
        digest.update(b"\0" + (item if isinstance(item, bytes) else item.encode("utf-8", "surrogatepass")))
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest()[:16], "big")))


def pixels_of(image: np.ndarray) -> bytes:
    """A picture as a name for itself."""
    return hashlib.sha256(image.tobytes()).digest()
