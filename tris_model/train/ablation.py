"""``risbench train ablation``: TRIS without one part at a time, from one tiny CLIP, on a shortened schedule.

The parts are those of the paper's ablation tables: the bilateral prompt and the terms of the calibration (stage 1), and
the selection and refinement of maps (stage 2, always from the complete stage 1). Every training has its own folder and
can be continued, so the whole command can be continued, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from risbench.errors import UsageError
from risbench.io.atomic import copy, write_whole
from risbench.plain import counted
from risbench.results.provenance import provenance
from risbench.statistics.compare import compare
from risbench.statistics.summary import with_interval

from ..files.checkpoint import digest
from .inputs import check_folder
from .loop.journal import writing
from .recipe import FOLDER, names, read
from .tris import tables_of
from .tris import train as train_tris

WHOLE = "whole"
STAGE1: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "bilateral prompt": {"stage1.network.alpha": 0.0, "stage1.network.beta": 0.0},
        "calibration, positive term": {"stage1.weights.positive": 0.0},
        "calibration, negative term": {"stage1.weights.negative": 0.0},
        "calibration, both": {"stage1.weights.positive": 0.0, "stage1.weights.negative": 0.0},
    }
)
STAGE2: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "PRMS": {"pseudo.prms": False},
        "IRN": {"pseudo.irn": False},
        "PRMS and IRN": {"pseudo.prms": False, "pseudo.irn": False},
    }
)
SHOWN: Mapping[int, tuple[str, ...]] = MappingProxyType({1: ("PointM", "mIoU"), 2: ("mIoU",)})


class Trained(NamedTuple):
    """A network of the table: the part that was left out, and its entry in ``scores.json``."""

    without: str
    score: Mapping[str, Any]


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
    """Train and score all networks, print the tables and write them.

    Args:
        recipe: a recipe of ``tris``; both stages use half of its epochs, rounded up, unless ``options`` change that.
        out: the output folder; finished parts in it are not repeated.
        device: ``auto``, ``cpu``, ``cuda``.
        stage: must be None, because this training has no stages.
        data_root: the folder of the data.
        overwrite: replace parts of another recipe in ``out``; without it, they are refused.
        options: changes to the recipe of all trainings, as for ``tris``; ``clip`` is the CLIP that they start from.

    Returns:
        The tables, ``OUT/ablation.md``.

    Raises:
        UsageError: a stage was given, or the recipe does not have both stages.
    """
    if stage is not None:
        raise UsageError("ablation has no stages; leave --stage out")
    given = {**_shortened(read(recipe)), **options}
    folder = Path(out)
    check_folder(folder, [WHOLE, *map(_slug, (*STAGE1, *STAGE2))])
    _check_scored(tables_of(recipe, given))

    def made(where: Path, only: str | None, **changes: Any) -> None:
        how: dict[str, Any] = {"device": device, "data_root": data_root, "overwrite": overwrite}
        train_tris(recipe, out=where, stage=only, **how, **{**given, **changes})

    def trained(where: Path, only: str | None = None, **changes: Any) -> dict[int, Mapping[str, Any]]:
        made(where, only, **changes)
        return {row["stage"]: row for row in json.loads((where / "scores.json").read_text(encoding="utf-8"))}

    whole = trained(folder / WHOLE)
    rows = {number: [Trained("nothing", whole[number])] for number in (1, 2)}
    for without, changes in STAGE1.items():
        rows[1].append(Trained(without, trained(folder / _slug(without), "1", **changes)[1]))
    for without, changes in STAGE2.items():
        where = folder / _slug(without)
        _copy(folder / WHOLE / "stage1.safetensors", where / "stage1.safetensors")
        changes = {**changes, "stage1.val": None}
        for part in ("maps", "labels"):  # never stage 1, which is the whole one's
            made(where, part, **changes)
        rows[2].append(Trained(without, trained(where, "2", **changes)[2]))
    text = "\n".join([*_table(1, rows[1], data_root), "", *_table(2, rows[2], data_root), "", _origin(given), ""])
    with writing(folder / "ablation.md"):
        write_whole(folder / "ablation.md", lambda file: file.write(text.encode()))
    click.echo(text, nl=False)
    return folder / "ablation.md"


def _shortened(tables: Mapping[str, Any]) -> dict[str, Any]:
    if lacking := [name for name in ("stage1", "stage2") if name not in tables]:
        raise UsageError(f"an ablation needs a recipe with both stages, and this one has no [{lacking[0]}]")
    epochs = {name: tables[name].get("epochs", 15) for name in ("stage1", "stage2")}
    return {f"{name}.epochs": -(-count // 2) for name, count in epochs.items()}


def _check_scored(tables: Mapping[str, Any]) -> None:
    """Check that both stages have a split with masks, because an ablation compares scores."""
    for name in ("stage1", "stage2"):
        if tables[name].get("val") in (None, "none"):
            raise UsageError(f"an ablation compares scores; set {name}.val to a split with masks")


def _slug(without: str) -> str:
    return "without-" + without.replace(",", "").replace(" ", "-").lower()


def _copy(source: Path, target: Path) -> None:
    """Copy the complete stage 1 for a training that starts from it; the file is written completely or not at all."""
    if not target.exists() or digest(source) != digest(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with writing(target):
            copy(source, target)


def _table(stage: int, rows: Sequence[Trained], data_root: str | Path | None) -> list[str]:
    """A Markdown table: scores in percent, and paired differences to the complete network, with 95 % intervals."""
    whole = rows[0].score
    head = "".join(f" {name} | change |" for name in SHOWN[stage])
    partial = ", partial" if whole["partial"] else ""
    about = f"{counted(whole['count'], 'expression')}{partial}, rules {whole['rules']['name']}"
    lines = [f"Stage {stage} on {whole['split']} ({about}):", ""]
    lines += [f"| without |{head}", "|:--|" + "--:|" * (2 * len(SHOWN[stage]))]
    for row in rows:
        cells = []
        for name in SHOWN[stage]:
            change = "" if row.score is whole else _change(row, whole, name, data_root)
            cells += [with_interval(row.score["metrics"][name]), change]
        lines.append(f"| {row.without} | {' | '.join(cells)} |")
    return lines


def _change(row: Trained, whole: Mapping[str, Any], metric: str, data_root: str | Path | None) -> str:
    runs = [row.score["run"], whole["run"]]
    (test,) = compare(runs, metrics=metric, data_root=data_root, slices=False).overall
    if test.difference is None:
        return "–"
    value, low, high, _ = test.difference
    if low is None or high is None:
        return f"{100 * value:+.1f}"
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _origin(given: Mapping[str, Any]) -> str:
    made = provenance()
    settings = ", ".join(f"{key}={value}" for key, value in given.items())
    machine = made["machine"]
    where = machine["gpu"] or f"{machine['cores']} cores of {machine['processor']}"
    return f"{settings}; {made['started'][:10]}, {where}, commit {made['commit'] or 'unknown'}."


train.recipes = names("stage2")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
