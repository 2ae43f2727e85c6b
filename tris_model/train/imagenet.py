"""Start from an image tower that was trained on ImageNet, as in a row of the paper's second table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from risbench.errors import UsageError

from ..clip.imagenet import ImageNetTrunk
from ..files.architecture import fill
from ..files.checkpoint import read
from ..network.stage1 import Stage1

URL = "https://download.pytorch.org/models/resnet50-19c8e357.pth"


def put_trunk(network: Stage1, weights: str | Path | None = None) -> None:
    """Replace the image tower of a network that has RN50's sizes.

    Args:
        network: changed in place, with its config.
        weights: torchvision's file.

    Raises:
        UsageError: no file is given, or the network has other sizes.
        DataError: the file does not fit.
    """
    if network.config.backbone != "clip-RN50":
        raise UsageError("trunk = imagenet is a ResNet-50, so the network must have RN50's sizes")
    if weights is None or not Path(weights).is_file():
        raise UsageError(f"trunk = imagenet needs {URL}; download it and set stage1.imagenet to the file")
    trunk = ImageNetTrunk()
    state = {key: value for key, value in read(Path(weights)).state.items() if not key.startswith("fc.")}
    # Older files have no batch counters, which are not used.
    counts = {key: value for key, value in trunk.resnet.state_dict().items() if key.endswith("_tracked")}
    fill(trunk.resnet, {**counts, **state}, f"{weights} as torchvision's ResNet-50")
    network.backbone.visual = trunk
    network.config = network.backbone.config = replace(network.config, trunk="imagenet", pool_grid=0)
