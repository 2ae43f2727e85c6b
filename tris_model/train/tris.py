"""``risbench train tris``: stage 1, its maps, pseudo masks, stage 2, and a table of both stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from risbench.errors import UsageError

from ..devices import pick
from .presets import with_preset
from .ranks import torchrun
from .recipe import changed, names, read, record

# What is joined so far; `irn` and `stage2` are called by hand until they follow here.
STAGES = ("1", "maps")


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    data_root: str | Path | None = None,
    **options: Any,
) -> Path:
    """Train TRIS, or a part of it.

    Args:
        recipe: a name or a TOML file.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu``, ``cuda``.
        stage: ``1`` or ``maps``; both by default.
        data_root: where the data lie.
        options: changes to the recipe: ``stage1.epochs=2``; a plain key belongs to ``stage1``, except ``split``,
            ``val``, ``clip`` and ``scorer``, which belong to every stage that has them, and ``preset``, one of
            :data:`tris_model.train.presets.PRESETS`.

    Returns:
        The folder.
    """
    if stage is not None and str(stage) not in STAGES:
        raise UsageError(f"--stage is one of {', '.join(STAGES)}, not {stage!r}")
    tables = with_preset(read(recipe), options.pop("preset", None))
    for name in ("stage1", "stage2"):
        for key, target in (("split", "split"), ("val", "val"), ("clip", "start"), ("clip", "scorer")):
            if key in options and name in tables and not (name == "stage2" and target == "scorer"):
                tables[name][target] = options[key]
    if "scorer" in options:
        tables.get("stage1", {})["scorer"] = options["scorer"]
    rest = {key: value for key, value in options.items() if key not in ("split", "val", "clip", "scorer")}
    tables = changed(tables, rest, "stage1")
    if "stage1" not in tables:
        raise UsageError(f"recipe {recipe} has no table [stage1]; recipes of tris are {', '.join(names('stage1'))}")
    folder, root = Path(out), None if data_root is None else Path(data_root)
    with torchrun(device) as place:
        _parts(tables, folder, place, stage, root)
    return folder


def _parts(tables: dict[str, Any], out: Path, place: str, stage: str | None, data_root: Path | None) -> None:
    from . import stage1

    wanted = STAGES if stage is None else (str(stage),)
    device = pick(place)
    first = record(stage1.Stage1Recipe, tables["stage1"], "stage1")
    if "1" in wanted:
        stage1.fit(first, out, device, data_root)
    if "maps" in wanted:
        from . import maps

        weights = out / "stage1.safetensors"
        maps.choose_all(weights, first.scorer, first.split, out, device, data_root, first.limit, first.keep_end)
    (out / "recipe.json").write_text(json.dumps(tables, indent=2, sort_keys=True) + "\n")


train.recipes = names("stage1")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
