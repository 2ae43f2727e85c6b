"""The same command gives the same bytes, but for times; hash seed and threads do not change what is scored.

Floor methods give the same bytes whatever the seed of hashing and the number of threads. TRIS on a CPU gives the same
bytes for the same number of threads; another number may add up a convolution in another order, which moved no heat by
more than 1e-4 of its range where it was measured, and so no IoU by more than a pixel of its border: scores stay within
0.002 of one another (`RISBENCH_PRINT=1 pytest tests/risbench/running/test_determinism.py -s` prints what is measured).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.folders import content_of

import risbench

_MAIN = "from risbench.cli import main; main()"
_TOLERANCE = 2e-3


def _run(place: Path, out: str, method: str, seed: str, threads: str, *more: str) -> Path:
    words = ["run", "--method", method, "--split", "shapes_val", "--limit", "3", "--out", out, "--device", "cpu", *more]
    subprocess.run(
        [sys.executable, "-c", _MAIN, *words],
        cwd=place,
        env={
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": threads,
            "PYTHONPATH": str(Path(risbench.__file__).parents[1]),
        },
        check=True,
        capture_output=True,
    )
    return place / out


@pytest.mark.parametrize("method", ["random_box", "random_same_class"])
def test_a_floor_gives_the_same_bytes_whatever_hash_seed_and_threads(tmp_path: Path, method: str):
    first = content_of(_run(tmp_path, "a", method, "1", "1"))
    assert content_of(_run(tmp_path, "b", method, "2", "2")) == first


def test_tris_gives_the_same_bytes_and_with_other_threads_nearly_the_same_scores(tmp_path: Path):
    first = _run(tmp_path, "a", "tris", "1", "1", "--save-heat")
    assert content_of(_run(tmp_path, "b", "tris", "2", "1", "--save-heat")) == content_of(first)
    other = _run(tmp_path, "c", "tris", "1", "2", "--save-heat")
    heats = max(_heat_apart(file, other / "heats" / file.name) for file in (first / "heats").iterdir())
    scores = max(abs(a - b) for a, b in zip(_ious(first), _ious(other), strict=True))
    if os.environ.get("RISBENCH_PRINT"):
        print(f"heats {heats:.2e} of their range, IoU {scores:.2e}")
    assert heats < 1e-4
    assert scores < _TOLERANCE


def _ious(folder: Path) -> list[float]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    return [row["intersection"] / max(row["union"], 1) for row in rows]


def _heat_apart(one: Path, other: Path) -> float:
    with np.load(one, allow_pickle=False) as a, np.load(other, allow_pickle=False) as b:
        return max(float(np.abs(a[name] - b[name]).max() / np.ptp(a[name])) for name in a.files)
