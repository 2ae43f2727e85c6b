"""Every test of the readers has a cache of its own and no data root in its environment."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "the cache"
    monkeypatch.setenv("RISBENCH_CACHE", str(folder))
    monkeypatch.delenv("RISBENCH_DATA", raising=False)
    return folder
