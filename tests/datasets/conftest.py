"""Every test of the readers has a cache of its own and no data root in its environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "the cache"
    monkeypatch.setenv("RISBENCH_CACHE", str(folder))
    monkeypatch.delenv("RISBENCH_DATA", raising=False)
    return folder


@pytest.fixture(scope="session")
def mini() -> Path:
    """The authors' tiny copy, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "refcoco-mini"
    folder = Path(os.environ.get("RISBENCH_MINI", beside))
    if not folder.is_dir():
        pytest.skip("no refcoco-mini (set RISBENCH_MINI)")
    return folder
