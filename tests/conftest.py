"""What all tests share: one cache, in which scenes are drawn once for all workers, and the tiny real data."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from commands import ask

__all__ = ["ask"]

# Shared machines stall for longer than hypothesis waits, and a red CI must be one that anybody can see again.
hypothesis.settings.register_profile("risbench", deadline=None, derandomize=True)
hypothesis.settings.load_profile("risbench")


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # Under xdist each worker has a folder below the common one.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["RISBENCH_CACHE"] = str(folder)
    os.environ.pop("RISBENCH_DATA", None)
    return folder


@pytest.fixture(scope="session")
def mini() -> Path:
    """The authors' tiny copy, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "refcoco-mini"
    folder = Path(os.environ.get("RISBENCH_MINI", beside))
    if not folder.is_dir():
        pytest.skip("no refcoco-mini (set RISBENCH_MINI)")
    return folder
