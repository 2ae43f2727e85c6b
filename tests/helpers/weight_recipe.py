"""Made-up weights by the recipe of spec §2: a function of a key's name and shape alone, so that no file is needed."""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from tris_model.config import Config
from tris_model.files.architecture import build
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2


def made_up(key: str, shape: tuple[int, ...]) -> np.ndarray:
    draw = np.random.RandomState(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("logit_scale"):
        return np.full(shape, np.log(1 / 0.07), np.float32)
    if key.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        values = 0.1 * draw.normal(size=shape)
    elif len(shape) >= 2:
        values = draw.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("bias"):
        values = 0.1 * draw.normal(size=shape)
    else:
        values = draw.uniform(0.5, 1.5, shape)
    return np.asarray(values, np.float32)


_drawn_once = functools.cache(made_up)
_SMALL = 1 << 22  # numbers of a weight of the small networks, which many tests fill


@torch.no_grad()
def filled(network: nn.Module) -> nn.Module:
    """Give a network the made-up weights, in eval mode."""
    for key, value in network.state_dict().items():
        drawn = _drawn_once if value.numel() < _SMALL else made_up
        value.copy_(torch.from_numpy(drawn(key, tuple(value.shape))))
    return network.eval()


def built(config: Config, known: Mapping[str, Tensor] = MappingProxyType({})) -> Stage1 | Stage2:
    """A network with made-up weights, without drawing any others first; ``known`` ones are not made up again."""
    with torch.device("meta"):
        empty = Stage1(config) if config.stage == 1 else Stage2(config)
    state = {
        key: known[key] if key in known else torch.from_numpy(made_up(key, tuple(value.shape)))
        for key, value in empty.state_dict().items()
    }
    return build(config, state, "made-up weights")


def images() -> Tensor:
    return torch.from_numpy(np.random.RandomState(0).standard_normal((2, 3, 320, 320)).astype(np.float32))


def token_rows() -> Tensor:
    rows = torch.zeros(2, 20, dtype=torch.int64)
    rows[0, :7] = torch.tensor([49406, 320, 2368, 525, 518, 1823, 49407])
    rows[1, :4] = torch.tensor([49406, 1579, 1929, 49407])
    return rows


def fingerprint(state: dict[str, Tensor]) -> str:
    """One digest of every key and shape, sorted."""
    lines = sorted(f"{key}\t{tuple(value.shape)}" for key, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
