"""The paper's alternative initialisation: torchvision's ResNet-50, trained on ImageNet, replaces CLIP's image tower."""

from __future__ import annotations

from torch import Tensor, nn

from .trunk import Pyramid


class ImageNetTrunk(nn.Module):
    """ResNet-50 under torchvision's key names; it returns four layers, as CLIP's trunk does."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet50

        self.resnet = resnet50(weights=None)
        self.resnet.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]

    def forward(self, x: Tensor) -> Pyramid:
        """As :class:`~tris_model.clip.trunk.Trunk`: ``(B, 3, H, W)`` -> c1 to c4."""
        net = self.resnet
        c1 = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x)))))
        c2 = net.layer2(c1)
        c3 = net.layer3(c2)
        return c1, c2, c3, net.layer4(c3)
