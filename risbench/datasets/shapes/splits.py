"""The fixed splits: their numbers of images and their seeds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

VERSION = 1  # raised whenever a pixel, a mask or a sentence changes


class FrozenSplit(NamedTuple):
    """A split; its images are drawn from ``seeds``, ``seeds + 1``, …"""

    images: int
    seeds: int


SPLITS: Mapping[str, FrozenSplit] = MappingProxyType(
    {"train": FrozenSplit(6000, 1_000_000), "val": FrozenSplit(500, 2_000_000), "test": FrozenSplit(500, 3_000_000)}
)
FREE_SEEDS = 10_000_000  # seeds from here on belong to no split
