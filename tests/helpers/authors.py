"""The authors' evaluation step by step, written again from its description with torch, OpenCV and matplotlib.

Nothing is shared with `risbench.metrics`: this is what parity tests compare with and what benchmarks race against.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
import torch
import torchvision


@dataclass
class Answer:
    intersection: int
    union: int
    hit_box: bool
    hit_mask: bool
    box_iou: float
    mask: np.ndarray
    boxes: list[tuple[float, ...]]


def score(
    heat: np.ndarray,
    truth_layers: np.ndarray,
    xywh: tuple[float, ...],
    *,
    colour: bool = True,
    resized: np.ndarray | None = None,
) -> Answer:
    """Heat float32 (h, w); truth uint8 (H, W), how many polygons cover each pixel; the COCO box.

    torch's resize differs in its last bits from version to version. ``resized``, float32 (H, W), takes its place where
    everything else is to be compared exactly.
    """
    truth = truth_layers == 1
    x, y, width, height = (int(value) for value in xywh)
    box = (x, y, x + width, y + height)
    if resized is None:
        grown = torch.nn.functional.interpolate(
            torch.from_numpy(heat)[None, None], truth.shape, mode="bilinear", align_corners=True
        )[0, 0]
    else:
        grown = torch.from_numpy(resized)
    grown = grown / (grown.max() + 1e-5)
    binary = (grown > 1e-9).numpy()
    both, either = int(np.logical_and(binary, truth).sum()), int(np.logical_or(binary, truth).sum())
    place = int(grown.argmax())
    row, column = place // truth.shape[1], place % truth.shape[1]
    hit_box = box[0] <= column <= box[2] and box[1] <= row <= box[3]
    boxes = generate_boxes(binary.astype(np.float32), colour=colour)
    return Answer(
        both, either, hit_box, bool(truth[row, column]), max(corner_iou(b, box) for b in boxes), binary, boxes
    )


def generate_boxes(heat: np.ndarray, *, colour: bool = True) -> list[tuple[float, ...]]:
    """Boxes of a binary map, through the colour map and the odd suppression."""
    # 0 / 0 in places without a border; numpy 1.26 says of some that they were divided by zero.
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (heat - heat.min()) / (heat.max() - heat.min())
    if np.isnan(scaled).any():
        return [(0, 0, 1, 1), (0, 0, 1, 1)]
    if colour:
        rgb = (matplotlib.colormaps["cubehelix"](scaled)[..., :3] * 255).astype(np.uint8)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    else:
        grey = (scaled * 255).astype(np.uint8)
    _, cut = cv2.threshold(grey, int(grey.max() * 0.5), 255, cv2.THRESH_TOZERO)
    contours, _ = cv2.findContours(cut, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return [(0, 0, 1, 1), (0, 0, 1, 1)]
    rects, confidences = [], []
    for contour in contours:
        x, y, width, height = cv2.boundingRect(contour)
        rects.append((x, y, width, height))
        confidences.append(np.mean(grey[y : y + height, x : x + width] / 255))
    kept = torchvision.ops.nms(
        torch.tensor(rects, dtype=torch.float32), torch.tensor(confidences, dtype=torch.float32), 0.05
    )
    best = max(confidences[index] for index in kept)
    chosen = [index for index in kept.tolist() if confidences[index] > 0.5 * best]
    return [
        (rects[i][0], rects[i][1], rects[i][0] + rects[i][2], rects[i][1] + rects[i][3], confidences[i]) for i in chosen
    ]


def corner_iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0
