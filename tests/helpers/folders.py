"""The content of a run folder without times and paths."""

from __future__ import annotations

import json
from pathlib import Path


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file that must not depend on how the work was cut up: rows (without seconds), masks, heats, summary."""
    found = {name: (folder / name).read_bytes() for name in ("masks.jsonl", "summary.json")}
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_bytes().splitlines()]
    found["rows.jsonl"] = "\n".join(json.dumps({**row, "seconds": None}) for row in rows).encode()
    for file in sorted((folder / "heats").glob("*")):
        found[f"heats/{file.name}"] = file.read_bytes()
    return found


def names_in(folder: Path) -> set[str]:
    """The files of a folder, with their place below it."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def provenance_of(folder: Path) -> list[dict]:
    return json.loads((folder / "header.json").read_bytes())["provenance"]


def costs_of(folder: Path) -> list[dict]:
    return json.loads((folder / "cost.json").read_bytes())
