"""The names in the authors' files: modules are registered under several names, so most tensors appear three times.

``resnet50`` and ``resnet50_2`` are the trunks, ``stage1`` to ``stage4`` and ``stage2_1`` to ``stage2_4`` their parts,
``backbone`` and ``backbone2`` lists of these parts, and ``newly_added`` a list of the classifiers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from .network import AmrConfig

_PART = re.compile(r"resnet50(_2)?\.(conv1|bn1|layer([1-4]))\.(.+)")
_IN_FIRST = {"conv1": "0", "bn1": "1", "layer1": "4"}  # ReLU and pooling, at 2 and 3, hold nothing
_HEADS = {20: "voc", 80: "coco", 8: "shapes"}
# A part of a name that only one method's network has.


def aliases(name: str) -> tuple[str, ...]:
    """The other names of a tensor in the authors' files; none for what is no tensor of theirs.

    >>> aliases("resnet50_2.layer3.5.bn3.bias"), aliases("classifier2.weight")
    (('stage2_3.0.5.bn3.bias', 'backbone2.2.0.5.bn3.bias'), ('newly_added.1.weight',))
    """
    if name in ("classifier.weight", "classifier2.weight"):
        return (f"newly_added.{int('2' in name)}.weight",)
    match = _PART.fullmatch(name)
    if match is None:
        return ()
    second, part, layer, rest = match.groups()
    number = int(layer or 1)
    inner = f"{_IN_FIRST.get(part, '0')}.{rest}"
    stage, backbone = ("stage2_", "backbone2") if second else ("stage", "backbone")
    return f"{stage}{number}.{inner}", f"{backbone}.{number - 1}.{inner}"


def looks_like_amr(names: Collection[str]) -> bool:
    """Whether a set of names is that of both branches."""
    return any(name.startswith("resnet50_2.") for name in names)


def looks_like_cam(names: Collection[str]) -> bool:
    """Whether a set of names is that of the plain branch alone, from which AMR's training starts."""
    return not looks_like_amr(names) and any(name.startswith("resnet50.") for name in names)


def sizes_of(state: Mapping[str, Tensor]) -> AmrConfig:
    """The sizes that the shapes of a state imply; where a key is missing, the authors', so that its name is found out.

    Shapes do not tell strides, which are the authors'. A head of 20 classes is VOC's, one of 80 COCO's.

    Raises:
        ValueError: a head of another number of classes.
    """
    own = AmrConfig()
    count = _size(state, "classifier.weight", 0, 20)
    if count not in _HEADS:
        raise ValueError(f"its classifiers have {count} classes, and 20 (VOC), 80 (COCO) and 8 (shapes) are known")
    inner = _size(state, "resnet50_2.layer4.0.amm.ChannelAMM.mlp.1.weight", 0, 0)
    channels = _size(state, "resnet50_2.layer4.0.amm.ChannelAMM.mlp.1.weight", 1, 0)
    planes = tuple(_size(state, f"resnet50.layer{at}.0.conv1.weight", 0, own.planes[at - 1]) for at in (1, 2, 3, 4))
    depth = tuple(_count(state, rf"resnet50\.layer{at}\.(\d+)\.") for at in (1, 2, 3, 4))
    return AmrConfig(
        classes=_HEADS[count],  # pyright: ignore[reportArgumentType]
        stem=_size(state, "resnet50.conv1.weight", 0, own.stem),
        planes=planes,  # pyright: ignore[reportArgumentType]
        depth=depth,  # pyright: ignore[reportArgumentType]
        reduction=max(1, channels // inner) if inner else own.reduction,
    )


def _size(state: Mapping[str, Tensor], key: str, axis: int, default: int) -> int:
    value = state.get(key)
    return int(value.shape[axis]) if value is not None and value.ndim > axis else default


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    found = {int(match[1]) for key in state if (match := re.match(pattern, key))}
    return min(max(found, default=0) + 1, len(state))  # a key may name the billionth block
