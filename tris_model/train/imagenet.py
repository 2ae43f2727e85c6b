"""The paper's second start: torchvision's ResNet-50, trained on ImageNet, in place of CLIP's image tower."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from risbench.errors import DataError, UsageError

from ..stage1 import Stage1
from ..trunk import Pyramid

URL = "https://download.pytorch.org/models/resnet50-19c8e357.pth"


class ImageNetTrunk(nn.Module):
    """ResNet-50 under torchvision's key names, returning its four layers as CLIP's trunk does."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet50

        self.resnet = resnet50(weights=None)
        self.resnet.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]

    def forward(self, x: Tensor) -> Pyramid:
        """As :class:`~tris_model.trunk.Trunk`: ``(B, 3, H, W)`` -> c1 to c4."""
        net = self.resnet
        c1 = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x)))))
        c2 = net.layer2(c1)
        c3 = net.layer3(c2)
        return c1, c2, c3, net.layer4(c3)


def put_trunk(network: Stage1, weights: str | Path | None = None) -> None:
    """Replace the image tower of a network of RN50's sizes.

    Args:
        network: changed in place.
        weights: torchvision's file.

    Raises:
        UsageError: no file given, or the network has other sizes.
        DataError: the file does not fit.
    """
    if network.config.backbone != "clip-RN50":
        raise UsageError("trunk = imagenet is a ResNet-50; the network must have RN50's sizes")
    if weights is None or not Path(weights).is_file():
        raise UsageError(f"trunk = imagenet needs {URL}; download it and set stage1.imagenet to the file")
    trunk = ImageNetTrunk()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    try:
        trunk.resnet.load_state_dict({key: value for key, value in state.items() if not key.startswith("fc.")})
    except RuntimeError as error:
        raise DataError(f"{weights} is no ResNet-50 of torchvision: {str(error).splitlines()[-1][:160]}") from None
    network.backbone.visual = trunk  # pyright: ignore[reportAttributeAccessIssue]
