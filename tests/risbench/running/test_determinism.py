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

_METHODS = ("random_box", "random_same_class")
_TOLERANCE = 2e-3
# Starting Python and torch takes longer than these runs, so one process makes all runs of its hash seed.
_PROGRAM = """
import json, sys, torch
from risbench.cli import main
for threads, words in json.loads(sys.argv[1]):
    torch.set_num_threads(threads)
    sys.argv = ["risbench", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
"""


def _run(place: Path, seed: str, threads: int, *runs: tuple[int, str, str]) -> None:
    """Start a process with a hash seed and a number of threads; each of its runs has a number for torch of its own."""
    words = ("--split", "shapes_val", "--limit", "3", "--device", "cpu", "--save-heat")
    wanted = [(count, ("run", "--method", method, "--out", out, *words)) for count, method, out in runs]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(wanted)],
        cwd=place,
        env={
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(Path(risbench.__file__).parents[1]),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs: of each floor with two hash seeds and numbers of threads, and of TRIS with either."""
    place = tmp_path_factory.mktemp("determinism")
    _run(place, "1", 1, *((1, name, f"{name}-a") for name in _METHODS), (1, "tris", "tris-a"), (2, "tris", "tris-c"))
    _run(place, "2", 2, *((2, name, f"{name}-b") for name in _METHODS), (1, "tris", "tris-b"))
    return place


@pytest.mark.parametrize("method", _METHODS)
def test_a_floor_gives_the_same_bytes_whatever_hash_seed_and_threads(made: Path, method: str):
    first = content_of(made / f"{method}-a")
    assert {"rows.jsonl", "masks.jsonl", "summary.json"} <= set(first)
    assert content_of(made / f"{method}-b") == first


def test_tris_gives_the_same_bytes_and_with_other_threads_nearly_the_same_scores(made: Path):
    first, other = made / "tris-a", made / "tris-c"
    assert content_of(made / "tris-b") == content_of(first)
    files = list((first / "heats").iterdir())
    assert len(files) == 3
    heats = max(_heat_apart(file, other / "heats" / file.name) for file in files)
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
