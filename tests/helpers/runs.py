"""Run folders with scores made up number by number: what tables and comparisons are tried on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import Run
from risbench.metrics.rules.protocols import RULES
from risbench.results.header import Header
from risbench.results.jsonrecord import from_json
from risbench.results.rows import Row
from risbench.running.header import summary_record
from risbench.scorer import summary_of

MACHINE = {"system": "Linux", "processor": "A processor", "cores": 2, "gpu": None}


def ious_of(level: float, seed: int = 0, images: int = 40, per_image: int = 3, noise: float = 0.05) -> np.ndarray:
    """IoUs round a level, ``(images, per_image)``; images are hard or easy for all, whatever the seed."""
    hard = np.random.default_rng(99).uniform(-0.15, 0.15, (images, 1))
    own = np.random.default_rng(seed).normal(0, noise, (images, per_image))
    return np.clip(level + hard + own, 0, 1).round(3)


def write_run(
    folder: Path,
    ious: np.ndarray | Sequence[Sequence[float]],
    *,
    method: str = "ours",
    split: str = "refcoco_val",
    points: bool = True,
    card: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    rules: str = "tris",
    threshold: float | None = None,
    texts: str = "given",
    limit: int | None = None,
    partial: bool = False,
    source: str = "0" * 64,
    missing: int = 0,
    gpu: str | None = None,
    parameters: int | None = 1_500_000,
) -> Run:
    """Write a run folder: image ``i`` has as many expressions as ``ious[i]`` has numbers, of 1,000 pixels each."""
    rows = []
    for image, line in enumerate(np.asarray(ious).tolist()):
        for turn, iou in enumerate(line):
            ref, sentence = 10 * image, 100 * image + turn
            hit = bool(iou >= 0.3) if points else None
            rows.append(
                Row(
                    f"{split}/{ref}/{sentence}",
                    image,
                    ref,
                    sentence,
                    round(1000 * iou),
                    1000,
                    hit,
                    hit,
                    round(0.9 * iou, 4),
                    0.25,
                    missing=len(rows) < missing,
                )
            )
    header = {
        "schema": 1,
        "method": {
            "name": method,
            "entry_point": None,
            "card": {"supervision": "text"} if card is None else dict(card),
        },
        "arguments": {"given": dict(options or {}), "defaulted": {}, "weights": None},
        "texts": texts,
        "rules": {"name": rules, "text": RULES[rules], "threshold": threshold},
        "split": {
            "name": split,
            "counts": {"images": len(ious), "refs": len(ious), "expressions": len(rows)},
            "expected": {"images": None, "refs": None, "expressions": None},
            "partial": partial,
            "sources": [{"file": "instances.json", "folder": "refcoco", "sha256": source}],
        },
        "partial": partial or limit is not None,
        "limit": limit,
        "shard": None,
        "save_heat": None,
        "data_root": "/nowhere",
        "provenance": [
            {
                "command": ["risbench"],
                "started": "2026-01-02T03:04:05Z",
                "python": "3.11",
                "packages": {"risbench": "0.1.0"},
                "commit": "1234567890abcdef",
                "machine": {**MACHINE, "gpu": gpu},
                "device": "cpu" if gpu is None else "cuda",
            }
        ],
    }
    cost = {
        "images": len(ious),
        "expressions": len(rows),
        "seconds": 4.0,
        "predict_seconds": 2.0,
        "images_per_second": len(ious) / 4,
        "expressions_per_second": len(rows) / 4,
        "peak_memory_bytes": 3 * 2**29,
        "peak_gpu_memory_bytes": None if gpu is None else 5 * 2**30,
        "parameters": parameters,
    }
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("".join(row.as_line() + "\n" for row in rows))
    (folder / "header.json").write_text(json.dumps(header, indent=2))
    summary = summary_record(from_json(Header, header), summary_of(rows), len(rows), missing)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2))
    (folder / "cost.json").write_text(json.dumps([cost]))
    return Run.load(folder)
