"""The card of the method ``tris``: its paper, code, licence and supervision."""

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
        # In the heat's units: the threshold of stage 1's ReLU'd response and of stage 2's signed logit is zero.
        "threshold": 0.0,
        "weights": None,
        "reads": (),
    }
)
