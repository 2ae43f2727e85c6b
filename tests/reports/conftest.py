"""Small runs on drawn scenes that pictures and pages are made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from risbench import Run, Settings, evaluate


@pytest.fixture(scope="session")
def drawn_runs(tmp_path_factory) -> list[Run]:
    """Three methods on six drawn images; only the first saves heats."""
    base = tmp_path_factory.mktemp("drawn")
    saved = evaluate("centre", "shapes_val", limit=6, out=base / "centre", settings=Settings(save_heat=True))
    names = ("oracle_class", "random_same_class")
    return [saved, *(evaluate(name, "shapes_val", limit=6, out=base / name) for name in names)]


@pytest.fixture
def changed(tmp_path) -> Callable[..., Run]:
    """A copy of a run with one row or its header changed."""

    def change(run: Run, *, row: int = 0, header: dict[str, Any] | None = None, **values: Any) -> Run:
        folder = tmp_path / f"changed-{len(list(tmp_path.iterdir()))}" / run.path.name
        shutil.copytree(run.path, folder)
        lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
        lines[row].update(values)
        (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if header:
            old = json.loads((folder / "header.json").read_text())
            (folder / "header.json").write_text(json.dumps({**old, **header}))
        return Run.load(folder)

    return change


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no node")
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    names = ("chromium", "google-chrome", "chromium-browser", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium")
    return found


@pytest.fixture(scope="session")
def here() -> Path:
    return Path(__file__).parent
