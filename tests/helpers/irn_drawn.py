"""Discs on a ground, with a heat in the middle of one: small enough to train on in a test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tris_model.clip.trunk import Trunk
from tris_model.config import Config
from tris_model.irn.trunks import ClipTrunk


@dataclass
class Disc:
    name: str
    pixels: np.ndarray
    truth: np.ndarray
    values: np.ndarray

    @property
    def picture(self) -> str:
        return self.name

    def image(self) -> np.ndarray:
        return self.pixels

    def heat(self) -> np.ndarray:
        return self.values


def disc(number: int, side: int = 48) -> Disc:
    random = np.random.RandomState(number)
    y, x = np.mgrid[:side, :side]
    row, column = random.randint(side // 3, side - side // 3, 2)
    far = (y - row) ** 2 + (x - column) ** 2
    truth = far < (side / 4) ** 2
    pixels = np.full((side, side, 3), random.randint(0, 90, 3)) + random.randint(0, 12, (side, side, 3))
    pixels[truth] += random.randint(100, 150, 3)
    heat = np.exp(-far / 2 / (side / 6) ** 2).astype(np.float32)
    return Disc(f"{number}_{100 + number}", pixels.astype(np.uint8), truth, heat)


def tiny_trunk(stride: int = 8, seed: int = 0) -> ClipTrunk:
    config = Config(width=8, stride=stride, depth=(1, 1, 1, 1), pool_grid=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ClipTrunk(Trunk(config))


class Taught:
    """Discs with their true labels; what lies near the border is unsure."""

    def __init__(self, count: int, side: int = 48):
        self.discs = [disc(number, side) for number in range(count)]

    def __len__(self) -> int:
        return len(self.discs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        one = self.discs[index]
        return one.pixels, one.truth.astype(np.uint8)
