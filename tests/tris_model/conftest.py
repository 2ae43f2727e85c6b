"""Networks that several tests share; the two large ones are built once."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from helpers.ranks import RankPairs, rank_pairs
from helpers.weight_recipe import built, filled
from torch.nn import Module

from tris_model import save
from tris_model.config import STAGE1, STAGE2, Config
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2

SMALL = replace(
    STAGE1, image_size=64, stride=16, depth=(1, 1, 2, 1), width=8, pool_grid=0, vocabulary=49408, text_width=64,
    text_depth=2, text_heads=4, embed=48, hidden=24, alpha=0.2,
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    # Threads that wait for each other spin, and several test processes on few cores then all wait.
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pairs() -> Iterator[RankPairs]:
    """Two ranks for a program; what they import is imported once."""
    with rank_pairs() as started:
        yield started


@pytest.fixture
def small_config() -> Config:
    return SMALL


@cache
def _filled_once(config: Config) -> Module:
    return filled(Stage1(config) if config.stage == 1 else Stage2(config))


@pytest.fixture
def small() -> Stage1:
    """A network of the test's own, copied because to draw one takes longer."""
    network = deepcopy(_filled_once(SMALL))
    assert isinstance(network, Stage1)
    return network


@pytest.fixture
def small2() -> Stage2:
    network = deepcopy(_filled_once(replace(SMALL, stage=2, hidden=0, decoder=8)))
    assert isinstance(network, Stage2)
    return network


@pytest.fixture(scope="session")
def stage1() -> Stage1:
    network = built(STAGE1)
    assert isinstance(network, Stage1)
    return network


@pytest.fixture(scope="session")
def stage2(stage1: Stage1) -> Stage2:
    # The recipe knows keys alone, so both stages have the same towers; they are not drawn twice.
    network = built(STAGE2, stage1.state_dict())
    assert isinstance(network, Stage2)
    return network


@pytest.fixture
def weights(small: Stage1, tmp_path: Path) -> str:
    save(small, tmp_path / "stage1.safetensors")
    return str(tmp_path / "stage1.safetensors")


@pytest.fixture
def weights2(small2: Stage2, tmp_path: Path) -> str:
    save(small2, tmp_path / "stage2.safetensors")
    return str(tmp_path / "stage2.safetensors")
