"""The authors' evaluation, ported step by step and as slowly: what the benchmark compares with.

One full forward an expression at batch 1, the attention pool computed and thrown away, all 20 tokens read, then the
post-processing of validate.py in its own order (spec §4, steps 2 to 11).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import nms

from tris_model.network.stage1 import Stage1, enlarge, unit

BOX_CONFIDENCE = 0.5
NMS_IOU = 0.05


class Truth(NamedTuple):
    """What is scored against: a mask ``(H, W)`` and a box x0 y0 x1 y1."""

    mask: np.ndarray
    box: tuple[int, int, int, int]


@torch.no_grad()
def forward(network: Stage1, image: Tensor, tokens: Tensor) -> Tensor:
    """``(1, 3, 320, 320)``, ``(1, 20)`` -> ``(1, 1, 320, 320)``, nothing shared, nothing skipped."""
    clip = network.backbone
    c4 = clip.encode_pyramid(image)[3]
    clip.visual.attnpool(c4)
    words = clip.encode_words(tokens)
    hidden = words[torch.arange(len(tokens)), tokens.argmax(1)] @ clip.text_projection
    cells, texts = unit(network.vis_project(c4), 1), unit(network.lan_project(hidden), 1)
    for_image, for_texts = network.attn_fusion(cells, texts)
    cells = (cells + network.config.alpha * for_image).flatten(2)
    response = network.logit_scale.exp() * ((texts + network.config.beta * for_texts) @ cells)
    side = image.shape[2] // network.config.stride
    return F.relu(enlarge(response.unflatten(2, (side, side)), image.shape[2:]))


def score(heat: Tensor, truth: Truth) -> tuple[int, int, bool, bool, bool]:
    """One expression: intersection, union, PointIt, PointM, Accbox.

    Args:
        heat: ``(1, 1, 320, 320)``.
        truth: at the image's size.
    """
    height, width = truth.mask.shape
    resized = F.interpolate(heat, size=(height, width), mode="bilinear", align_corners=True)[0, 0]
    cam = (resized / (resized.max() + 1e-5)).numpy()
    binary = cam > 1e-9
    mask = truth.mask > 0
    intersection, union = int((binary & mask).sum()), int((binary | mask).sum())
    row, column = np.unravel_index(int(cam.argmax()), cam.shape)
    x0, y0, x1, y1 = truth.box
    hit_box = bool(x0 <= column <= x1 and y0 <= row <= y1)
    hit_mask = bool(mask[row, column])
    hit = any(overlap(box, truth.box) > 0.5 for box in boxes(binary.astype(np.float32)))
    return intersection, union, hit_box, hit_mask, hit


def boxes(heat: np.ndarray) -> list[tuple[float, ...]]:
    """Boxes of a "heat map" that is a binary mask: colour map, grey, contours, fill ratios, odd suppression."""
    span = heat.max() - heat.min()
    if span == 0:
        return [(0.0, 0.0, 1.0, 1.0)] * 2
    heat = (heat - heat.min()) / span
    colours = matplotlib.colormaps["cubehelix"](heat)
    rgb = (colours[..., :3] * 255).astype(np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    _, cut = cv2.threshold(grey, int(0.5 * grey.max()), 255, cv2.THRESH_TOZERO)
    contours, _ = cv2.findContours(cut, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    rectangles = [cv2.boundingRect(contour) for contour in contours]
    confidence = [float(grey[y : y + h, x : x + w].mean()) / 255 for x, y, w, h in rectangles]
    kept = nms(torch.tensor(rectangles, dtype=torch.float32), torch.tensor(confidence), NMS_IOU).tolist()
    floor = BOX_CONFIDENCE * max(confidence)
    chosen = [rectangles[k] for k in kept if confidence[k] > floor]
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in chosen]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """IoU of two boxes x0 y0 x1 y1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0.0) * max(height, 0.0)
    return inside / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside)
