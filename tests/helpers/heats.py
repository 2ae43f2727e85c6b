"""Heats that have the same bits on every machine: made of hashes and exact arithmetic, not drawn by a generator."""

from __future__ import annotations

import hashlib

import numpy as np

KINDS = ("signed", "relu", "steps", "zero", "constant", "negative", "near", "wide", "denormal", "huge", "largest")


def heat_of(kind: str, seed: int, shape: tuple[int, int]) -> np.ndarray:
    """A heat, float32 ``(h, w)``.

    Args:
        kind: one of `KINDS`. ``near`` differs from 0.5 in its last digits, ``wide`` has exponents from -30 to 30,
            ``denormal`` lies below the smallest normal number, ``huge`` and ``largest`` at the end of float32.
        seed: of its numbers.
        shape: ``(h, w)``.
    """
    count = shape[0] * shape[1]
    raw = np.frombuffer(hashlib.shake_256(f"{kind} {seed}".encode()).digest(4 * count), dtype="<u4").astype(np.int64)
    raw = raw.reshape(shape)
    signed = ((raw >> 8) - (1 << 23)).astype(np.float32) / np.float32(1 << 23)  # a multiple of 2**-23 in [-1, 1)
    heat = {
        "signed": lambda: signed,
        "relu": lambda: np.maximum(signed, np.float32(0)),
        "steps": lambda: np.round(signed * np.float32(4)),
        "zero": lambda: np.zeros(shape, np.float32),
        "constant": lambda: np.full(shape, np.float32(0.3)),
        "negative": lambda: -np.abs(signed) - np.float32(2**-10),
        "near": lambda: np.float32(0.5) + np.round(signed * np.float32(8)) * np.float32(2**-24),
        "wide": lambda: np.ldexp(signed, (raw % 61 - 30).astype(np.int32)),
        "denormal": lambda: np.ldexp(signed, np.int32(-130)),
        "huge": lambda: np.ldexp(signed, np.int32(128)),
        "largest": lambda: np.full(shape, np.finfo(np.float32).max),
    }[kind]()
    return heat.astype(np.float32)
