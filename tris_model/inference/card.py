"""The card of the method ``tris``: what its paper, its licence and its supervision are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Liu et al., Referring Image Segmentation Using Text Supervision, ICCV 2023, arXiv 2308.14575",
        "code": "https://github.com/fawnliu/TRIS at c6666b3",
        "licence": "MIT",
        "supervision": "text",
        "extra_data": "CLIP RN50 (400 million image-text pairs); stage 2 also an ImageNet ResNet-50",
        "grade": "native",
        # In the heat's units: stage 1's ReLU'd response and stage 2's signed logit are both cut at zero.
        "threshold": 0.0,
        "weights": None,
        "reads": (),
    }
)
