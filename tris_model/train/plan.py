"""The plan of a training of TRIS. All files that the training reads are checked before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from risbench.errors import DataError, UsageError

from . import maps, pseudo
from .inputs import check_clip, check_folder, check_split, check_stage1
from .loop.best import check_selection
from .loop.finished import check, check_head, masks_id
from .loop.ranks import rank, world
from .maps import read_maps
from .pseudo import PseudoRecipe, check_ahead
from .recipe import record
from .scorers import scorer
from .stage1 import Stage1Recipe
from .stage1 import new as new_stage1
from .stage2 import Stage2Recipe
from .stage2 import new as new_stage2

_FOLDERS = {"1": "stage1", "maps": "maps", "labels": "pseudo", "2": "stage2"}
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The recipe's records and the folders of a training."""

    first: Stage1Recipe
    pseudo: PseudoRecipe
    second: Stage2Recipe | None
    out: Path
    data_root: Path | None
    overwrite: bool = False

    def need(self, path: str, stage: str) -> Path:
        """The path of another stage's result.

        Raises:
            UsageError: it is missing; the message names that stage.
        """
        if not (self.out / path).exists():
            raise UsageError(
                f"{self.out / path} is missing; run --stage {stage} first, or run all stages without --stage"
            )
        return self.out / path


def plan_of(tables: Mapping[str, Any], out: Path, data_root: Path | None, *, overwrite: bool = False) -> TrainingPlan:
    """The records of a recipe.

    Raises:
        UsageError: a key is unknown, a value is wrong, or the stages do not fit together.
    """
    first = record(Stage1Recipe, tables["stage1"], "stage1")
    second = record(Stage2Recipe, tables["stage2"], "stage2") if "stage2" in tables else None
    if second and (first.split, first.limit) != (second.split, second.limit):
        raise UsageError("stage 2 learns from the masks of stage 1's refs: give both tables the same split and limit")
    return TrainingPlan(
        first, record(PseudoRecipe, tables.get("pseudo", {}), "pseudo"), second, out, data_root, overwrite
    )


def check_inputs(plan: TrainingPlan, wanted: Sequence[str]) -> None:
    """Check all files that the wanted stages read, before anything is drawn or written.

    Files that an earlier wanted stage will write are not required, nor files that only a finished stage needed.

    Raises:
        UsageError: a file is missing (the message says how to make or get it), or stages or options do not fit
            together.
        DataError: a file or data cannot be used, or the folder holds a part of another recipe.
    """
    check_folder(plan.out, [_FOLDERS[stage] for stage in wanted])
    if "2" in wanted and plan.second is None:
        raise UsageError("the recipe has no table [stage2]")
    if "1" not in wanted and {"maps", "labels"} & set(wanted):
        check_stage1(plan.need("stage1.safetensors", "1"))  # before the split is asked for, which may be drawn then
    anew = _check_made(plan, wanted)
    first = "1" in wanted and ("1" in anew or not (plan.out / "stage1.safetensors").exists())
    again = "2" in anew or not (plan.out / "stage2.safetensors").exists()
    second = plan.second if "2" in wanted and again else None
    _check_earlier(plan, wanted, second is not None)
    if first:
        check_selection("stage1", plan.first.select, plan.first.val)
        check_clip("stage1.start", plan.first.start, plan.first.split, lambda: new_stage1(plan.first))
    weights, prms = plan.first.weights, "maps" in wanted and plan.pseudo.prms
    if prms or (first and (weights.positive or weights.negative)):
        path = plan.first.scorer
        check_clip("stage1.scorer", path, plan.first.split, lambda: scorer(path, _CPU), scores=True)
    if "labels" in wanted:
        check_ahead(plan.pseudo)
        if plan.pseudo.irn and plan.pseudo.trunk == "stage1" and plan.first.trunk != "clip":
            raise UsageError("pseudo.trunk = stage1 needs a stage 1 with CLIP's trunk; set pseudo.trunk=imagenet")
    if second is not None:
        check_selection("stage2", second.select, second.val)
        check_clip("stage2.start", second.start, second.split, lambda: _try_stage2(plan, second, first))
    for table in (plan.first if first else None, second):
        if table is not None and table.batch % world():
            raise UsageError(f"a batch of {table.batch} cannot be shared by {world()} ranks; make it a multiple")
    _check_splits(plan, wanted)


def _check_made(plan: TrainingPlan, wanted: Sequence[str]) -> set[str]:
    """The wanted parts that another recipe made in the folder. Without ``overwrite`` they are refused."""
    how: Any = {"overwrite": plan.overwrite}
    other: dict[str, bool] = {}
    if "1" in wanted:
        other["1"] = check(plan.out / "stage1.safetensors", plan.out / "stage1", plan.first, "stage1", **how)
    if "maps" in wanted and (place := plan.out / "maps/head.json").exists():
        first, stage1 = plan.first, plan.out / "stage1.safetensors"
        weights = stage1 if stage1.exists() and not other.get("1") else None
        judge = first.scorer if plan.pseudo.prms else None
        options = (plan.data_root, first.limit, first.keep_end, plan.pseudo.refs, plan.pseudo.seed)
        *_, head = maps.head_of(weights, judge, first.split, *options)
        other["maps"] = check_head(place, head, maps.HOLDS, **how)
    if "labels" in wanted:
        place = plan.out / "pseudo/head.json"
        other["labels"] = check_head(place, pseudo.head_of(plan.pseudo), pseudo.HOLDS, **how)
    if "2" in wanted and plan.second is not None:
        head = plan.out / "pseudo/head.json"
        masks = masks_id(head) if head.exists() and not any(other.values()) else None
        place = plan.out / "stage2.safetensors"
        other["2"] = check(place, plan.out / "stage2", plan.second, "stage2", masks=masks, **how)
    return {part for part, found in other.items() if found or (part != "1" and plan.overwrite and any(other.values()))}


def _check_earlier(plan: TrainingPlan, wanted: Sequence[str], second: bool) -> None:
    """Check the results of other stages."""
    if second and "labels" not in wanted:
        folder = plan.need("pseudo/head.json", "labels").parent / "masks"
        refs = len(read_maps(plan.need("maps/head.json", "maps").parent).refs)
        if (found := len([*folder.glob("*.png")])) < refs:
            raise DataError(f"{folder} has masks of {found} of {refs} refs; run the stage 'labels' again")
    if not {"1", "maps", "labels"} & set(wanted) and second and plan.second and plan.second.from_stage1:
        check_stage1(plan.need("stage1.safetensors", "1"))
    if "labels" in wanted and "maps" not in wanted:
        read_maps(plan.need("maps/head.json", "maps").parent)


def _try_stage2(plan: TrainingPlan, second: Stage2Recipe, first: bool) -> None:
    """Build stage 2 as its training will, from a stage 1 of the recipe's sizes."""
    network = new_stage2(second)
    if second.from_stage1:
        from .handover import hand_over

        kept = plan.out / "stage1.safetensors"
        stage1 = new_stage1(plan.first) if first else check_stage1(kept)
        try:
            hand_over(stage1, network)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise UsageError(f"it starts from stage 1, but its sizes are not those of stage 1 ({reason})") from None


def _check_splits(plan: TrainingPlan, wanted: Sequence[str]) -> None:
    tables = {"stage1": plan.first, "stage2": plan.second if "2" in wanted else None}
    for name, table in tables.items():
        if table is None:
            continue
        learns = "the training uses it, so scores on it say nothing" if name[-1] in wanted else ""
        check_split(f"{name}.split", table.split, plan.data_root, learns if rank() == 0 else "")
        if table.val is not None and name[-1] in wanted:
            chosen = table.select != "last" and rank() == 0
            warn = "weights are selected by its labels, so scores on it are too high" if chosen else ""
            check_split(f"{name}.val", table.val, plan.data_root, warn)
