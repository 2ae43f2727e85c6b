"""Predictions of the made-up RefCOCO as people bring them, each right: whatever reads them must score 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from risbench import Run, Sample, Split, load_split, score
from risbench.masks import encode, union_of

from .annotations import refer_content, write_refer

SPLIT = "refcoco_val"


def split_with(root: Path, change: Callable[[list[dict[str, Any]]], None] | None = None) -> Split:
    """The split, with its refs changed."""
    _, refs = refer_content()
    if change is not None:
        change(refs)
    return load_split(SPLIT, write_refer(root, refs=refs))


def truth_of(sample: Sample) -> np.ndarray:
    return union_of(sample.parts, sample.size)


def entries(split: Split, **more: Callable[[Sample], Any]) -> list[dict[str, Any]]:
    """An entry for each sample, of its sent_id and mask, and of what is made for further keys."""
    return [
        {"sent_id": s.sent_id, "segmentation": encode(truth_of(s)), **{key: make(s) for key, make in more.items()}}
        for s in split
    ]


def lines(path: Path, found: Sequence[Any], encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(json.dumps(entry) + "\n" for entry in found).encode(encoding))
    return path


def array(path: Path, found: Any, encoding: str = "utf-8") -> Path:
    path.write_bytes(json.dumps(found).encode(encoding))
    return path


def files(
    folder: Path, split: Split, save: Callable[[np.ndarray, Path], Any], name: Callable[[Sample], str], suffix: str
) -> Path:
    """A file for each sample below a folder, which a mask (uint8 0 and 1) and a path are saved to."""
    for sample in split:
        path = folder / (name(sample) + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(truth_of(sample).astype(np.uint8), path)
    return folder


def pictures(folder: Path, split: Split, save: Callable[[np.ndarray, Path], Any] | None = None) -> Path:
    def plain(mask: np.ndarray, path: Path) -> None:
        Image.fromarray(mask * 255).save(path)

    return files(folder, split, save or plain, lambda sample: str(sample.sent_id), ".png")


def iou_of(brought: Path, split: Split, out: Path, **options: Any) -> float:
    """The mIoU under rules whose truth is the union of parts."""
    return run_of(brought, split, out, **options).summary["metrics"]["mIoU"]["value"]


def run_of(brought: Path, split: Split, out: Path, **options: Any) -> Run:
    return score(brought, split, rules="clean", out=out, **options)
