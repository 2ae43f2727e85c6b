"""The files of drawn scenes are the same to the byte, however the work's threads interleave."""

from __future__ import annotations

import gc
import pickle
import time
from pathlib import Path

import pytest

from risbench.datasets.shapes import write


def refs_drawn(folder: Path) -> bytes:
    folder.mkdir()
    entries = write._drawn("val", folder, 60, lambda done, total: None)
    entries.sort(key=lambda entry: entry["image"]["id"])
    return pickle.dumps([ref for entry in entries for ref in entry["refs"]], protocol=2)


def test_threads_leave_no_trace_in_the_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # A pickle tells which of its texts are one object; a collector that lets other threads run (hypothesis installs
    # one) once made two entries share their keys, and so the hash of the split another.
    monkeypatch.setattr(write, "_WORTH_A_WORKER", 10)
    calm = refs_drawn(tmp_path / "calm")
    before = gc.get_threshold()

    def interrupt(*_: object) -> None:
        time.sleep(0.001)

    gc.callbacks.append(interrupt)
    gc.set_threshold(5)
    try:
        assert refs_drawn(tmp_path / "interrupted") == calm
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(interrupt)
