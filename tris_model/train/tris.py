"""``risbench train tris``: stage 1, its maps, pseudo masks, stage 2, and a table of both stages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from risbench.errors import DataError, UsageError
from risbench.io.atomic import write_whole

from ..devices import pick
from ..files.checkpoint import digest
from .loop.finished import masks_id
from .loop.journal import forget_peak, writing
from .loop.ranks import rank, torchrun, wait
from .plan import TrainingPlan, check_inputs, plan_of
from .presets import with_preset
from .recipe import FOLDER, changed, names, read

STAGES = ("1", "maps", "labels", "2")
_TABLE_OF = MappingProxyType({"1": "stage1", "maps": "pseudo", "labels": "pseudo", "2": "stage2"})

# Options of several tables, or of a table other than stage 1's. If two set the same key, the later one wins.
SHARED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "split": ("stage1.split", "stage2.split"),
        "val": ("stage1.val", "stage2.val"),
        "clip": ("stage1.start", "stage1.scorer", "stage2.start"),
        "scorer": ("stage1.scorer",),
        "limit": ("stage1.limit", "stage2.limit"),
        "prms": ("pseudo.prms",),
        "irn": ("pseudo.irn",),
        "refs": ("pseudo.refs",),
    }
)


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    data_root: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train TRIS, or one stage of it.

    Args:
        recipe: a recipe's name, or a TOML file.
        out: the output folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu``, ``cuda``.
        stage: ``1``, ``maps``, ``labels`` or ``2``; all by default.
        data_root: the folder of the data.
        overwrite: replace parts of another recipe in ``out``; without it, they are refused.
        options: changes to the recipe, such as ``stage1.epochs=2``. A key without a table belongs to ``stage1``, except
            the keys of :data:`SHARED` and ``preset``, one of :data:`tris_model.train.presets.PRESETS`.

    Returns:
        The folder, with ``stage1.safetensors``, ``stage2.safetensors``, and ``scores.json`` if there is a ``val``.

    Raises:
        UsageError: the stage does not exist or needs another one first, the recipe is wrong, or a file does not exist.
        DataError: data or a file cannot be used, or ``out`` holds a part of another recipe.
    """
    if stage is not None and str(stage) not in STAGES:
        raise UsageError(f"--stage must be one of {', '.join(STAGES)}, not {stage!r}")
    tables = tables_of(recipe, options)
    plan = plan_of(tables, Path(out), None if data_root is None else Path(data_root), overwrite=overwrite)
    wanted = (str(stage),) if stage is not None else STAGES if plan.second else STAGES[:2]
    with torchrun(device) as place:
        pick(place)
        check_inputs(plan, wanted)
        if rank() == 0:
            _write_record(plan.out / "recipe.json", with_defaults(tables, plan), wanted)
        for part in wanted:
            forget_peak(pick(place))
            _PARTS[part](plan, pick(place))
            wait()
        if rank() == 0 and {"1", "2"} & set(wanted):
            from .scores import score_all

            vals = {1: plan.first.val, 2: plan.second.val if plan.second and "2" in wanted else None}
            score_all(plan.out, vals, pick(place), plan.data_root)
    return plan.out


def tables_of(recipe: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a recipe, with its preset and with changes by options.

    Args:
        recipe: a recipe's name, or a TOML file.
        options: see :func:`train`.

    Raises:
        UsageError: there is no such recipe, or it has no stage 1.
    """
    given = dict(options)
    tables = with_preset(read(recipe), given.pop("preset", None))
    tables = changed(tables, _spread(given, tables), "stage1")
    if "stage1" not in tables:
        raise UsageError(f"recipe {recipe} has no table [stage1]; recipes of tris are {', '.join(names('stage1'))}")
    return tables


def _spread(options: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Expand options to full keys; tables that the recipe lacks are not added."""
    found: dict[str, Any] = {}
    for key in sorted(options, key=lambda key: (key not in SHARED, [*SHARED].index(key) if key in SHARED else 0)):
        for target in SHARED.get(key, (key,)):
            if key not in SHARED or target.partition(".")[0] in {*tables, "pseudo"}:
                found[target] = options[key]
    return found


def with_defaults(tables: Mapping[str, Any], plan: TrainingPlan) -> dict[str, Any]:
    """The tables with all default values filled in, for a complete record of the training."""
    records = {"stage1": plan.first, "pseudo": plan.pseudo, "stage2": plan.second}
    found = dict(tables)
    for name, made in records.items():
        if name in tables and made is not None:
            found[name] = _filled(tables[name], json.loads(json.dumps(asdict(made), default=str)))
    return found


def _filled(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(given)
    for key, value in defaults.items():
        if key not in given:
            found[key] = value
        elif isinstance(value, dict) and isinstance(given[key], Mapping):
            found[key] = _filled(given[key], value)
    return found


def _write_record(path: Path, tables: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Write ``recipe.json``: the tables of the wanted parts; for the other parts the earlier record is kept."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    made = {_TABLE_OF[part] for part in wanted}
    record = {**tables, **{name: kept[name] for name in tables if name in kept and name not in made}}
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    with writing(path):
        write_whole(path, lambda file: file.write(text.encode()))


def _stage1(plan: TrainingPlan, device: torch.device) -> None:
    from . import stage1

    stage1.fit(plan.first, plan.out, device, plan.data_root, overwrite=plan.overwrite)


def _maps(plan: TrainingPlan, device: torch.device) -> None:
    from . import maps

    first, pseudo = plan.first, plan.pseudo
    weights, judge = plan.need("stage1.safetensors", "1"), first.scorer if pseudo.prms else None
    options = (first.limit, first.keep_end, pseudo.refs, pseudo.seed)
    maps.choose_all(weights, judge, first.split, plan.out, device, plan.data_root, *options, overwrite=plan.overwrite)


def _labels(plan: TrainingPlan, device: torch.device) -> None:
    from . import maps, pseudo

    weights, head = plan.need("stage1.safetensors", "1"), plan.need("maps/head.json", "maps")
    origin = json.loads(head.read_text(encoding="utf-8"))
    if origin["weights"] != digest(weights):
        raise DataError(f"{head.parent} holds {maps.HOLDS} than {weights}; run --stage maps --overwrite first")
    items = pseudo.items_of(_refs(plan), maps.read_maps(head.parent), origin["stride"])
    pseudo.make_masks(plan.pseudo, weights, items, origin, plan.out, device, overwrite=plan.overwrite)


def _stage2(plan: TrainingPlan, device: torch.device) -> None:
    from . import maps, pseudo, stage2

    if plan.second is None:
        raise UsageError("the recipe has no table [stage2]")
    head = plan.need("pseudo/head.json", "labels")
    refs, places = _refs(plan), maps.read_maps(plan.out / "maps").refs.tolist()
    masks = pseudo.mask_of(head.parent / "masks", refs, places)
    stage2.fit(
        plan.second, masks, plan.out, device, plan.data_root, places, masks_id=masks_id(head), overwrite=plan.overwrite
    )


def _refs(plan: TrainingPlan) -> Any:
    from risbench.datasets.load import load_split

    from .refs import Refs

    split = load_split(plan.first.split, plan.data_root)
    return Refs(split if plan.first.limit is None else split.first_images(plan.first.limit))


_PARTS = MappingProxyType({"1": _stage1, "maps": _maps, "labels": _labels, "2": _stage2})

train.recipes = names("stage1")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
