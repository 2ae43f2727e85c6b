"""Made-up networks of cts_style, in its own layout: there is no layout of its authors."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from baselines.cts_style.networks import TwoNetworks
from baselines.cts_style.weights_file import metadata_of
from tris_model import Config, Stage2
from tris_model.config import STAGE2
from tris_model.files import write

SMALL = Config(
    stage=2, image_size=32, text_length=12, stride=8, depth=(1, 1, 1, 1), width=2, pool_grid=0, context=12,
    text_width=8, text_depth=1, text_heads=2, embed=8, hidden=0, decoder=2, vocabulary=49408,
)  # fmt: skip


def made_up_networks(config: Config = SMALL, seed: int = 0) -> TwoNetworks:
    """Two networks with drawn weights, in eval mode; no BatchNorm stands at its start."""
    torch.manual_seed(seed)
    networks = TwoNetworks(Stage2(config), Stage2(config))
    for module in networks.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return networks.eval()


def write_networks(networks: TwoNetworks, path: Path, *, only_first: bool = False, recipe: bool = True) -> Path:
    """A file as a training, or the packing of one, leaves it."""
    state = {key: value for key, value in networks.state_dict().items() if not (only_first and key[:7] == "second.")}
    metadata = metadata_of(networks.config, "RN50.pt", text_learns=True)
    more = {"recipe": '{"split": "shapes_train"}'} if recipe else {}
    write(state, path, {**metadata, **more})
    return path


def full_cts_style(folder: Path) -> str:
    """Networks of the size of TRIS's stage 2 at 320 pixels; one answers."""
    torch.manual_seed(0)
    path = folder / "cts_style.safetensors"
    state = {f"first.{key}": value for key, value in Stage2(STAGE2).state_dict().items()}
    write(state, path, metadata_of(STAGE2, "RN50.pt", text_learns=True))
    return str(path)
