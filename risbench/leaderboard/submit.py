"""Verify every row of a run before it is put on the leaderboard.

The scores in the folder are not trusted. The split is loaded and its hashes are compared. Every row is scored again
from its stored mask, and from its heat if heats were saved. The summary is computed again from the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import DataError, MaskError, RisbenchError, UsageError
from ..methods.answers import prediction_of
from ..methods.cards import supervision_fault
from ..metrics.metric import DEFAULT
from ..metrics.rules.protocols import RULES, Rules, identity_of
from ..plain import counted
from ..records import Prediction, Sample
from ..results import jsonlines
from ..results.folder import HEATS, MASKS, ROWS
from ..results.jsonrecord import to_json
from ..results.masklines import prediction_in
from ..results.rows import Row
from ..results.run import Run
from ..results.scored import split_record
from ..scorer import row_of
from ..scoring.sources import Heats
from ..statistics.changes import change_texts
from . import entry as entries

_SCORES = ("intersection", "union", "hit_box", "hit_mask", "box_iou")


def submit(
    run: str | Path | Run,
    board: str | Path,
    *,
    data_root: str | Path | None = None,
    name: str | None = None,
    replace: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Path:
    """Verify a run and write its entry.

    Args:
        run: the run or its folder.
        board: the board's folder.
        data_root: where the split lies; by default where the run found it.
        name: the method's name on the board; by default as in the run.
        replace: replace another run of this name.
        progress: called with ``(rows done, rows)``.

    Returns:
        The entry's file.

    Raises:
        RisbenchError: the run cannot be entered; the message says why.
        UsageError: the board holds another run of this name.
    """
    loaded = run if isinstance(run, Run) else Run.load(run)
    digests = verify(loaded, data_root=data_root, progress=progress)
    entry = entries.make_entry(loaded, digests, name)
    path = Path(board) / entry["split"] / entries.file_name(entry["method"])
    if path.exists() and not replace:
        old = entries.read(path)
        if old["measured"]["rows_sha256"] != entry["measured"]["rows_sha256"]:
            raise UsageError(f"{path} holds another run of {entry['method']}: --replace it, or --name this one")
    return entries.write(entry, Path(board))


def verify(
    run: Run, *, data_root: str | Path | None = None, progress: Callable[[int, int], object] | None = None
) -> dict[str, str]:
    """Check a run against its split.

    Args:
        run: the run.
        data_root: where the split lies; by default where the run found it.
        progress: called with ``(rows done, rows)``.

    Returns:
        The SHA-256 of the checked ``rows`` (without their seconds) and ``masks``.

    Raises:
        RisbenchError: a check failed; the message has the first row for which it did.
    """
    _refuse_incomplete(run)
    header = run.about
    split = load_split(header.split.name, data_root if data_root is not None else header.data_root)
    if split_record(split) != header.split:
        raise DataError(f"{run.path}: its input hashes or counts are not those of {split.name} in {split.data_root}")
    rules = Rules(header.rules.name, header.rules.threshold) if header.rules.name in RULES else None
    if rules is None or identity_of(to_json(header.rules)) != identity_of(rules.record()):
        raise DataError(f"{run.path}: its rules are not this version's {header.rules.name}: score the run again")
    rows = run.rows()
    _refuse_other_ids(run, rows, split)
    heats = Heats(run.path) if (run.path / HEATS).is_dir() and header.save_heat == "float32" else None
    by_row = hashlib.sha256()
    # Image by image, because heats are saved by image; rows and lines are in the split's order, so they are looked up.
    lines, stored = dict(_lines(run)), {row.id: row for row in rows}
    done = 0
    for group in split.by_image():
        for sample in group:
            _compare(run, sample, rules, stored[sample.id], lines, heats)
            done += 1
        if progress is not None:
            progress(done, len(rows))
    for row in rows:
        by_row.update("\t".join([row.id, *(repr(getattr(row, key)) for key in _SCORES)]).encode() + b"\n")
    _compare_summary(run, rows)
    masks = hashlib.sha256((run.path / MASKS).read_bytes()).hexdigest()
    return {"rows": by_row.hexdigest(), "masks": masks}


def _refuse_incomplete(run: Run) -> None:
    header = run.about
    fault = supervision_fault(header.method.card)
    missing = run.summary["missing"]
    reasons = {
        f"its card's {fault} `risbench score {run.path} --card TOML` gives it another card": fault,
        "it is partial (not the whole split)": run.summary["partial"] or header.partial,
        "it was limited": header.limit is not None or header.chosen is not None,
        "it is one shard: merge them": header.shard is not None,
        f"{counted(missing, 'expression has', 'expressions have')} no prediction": missing,
        "it was scored on other masks than the annotated ones": header.truth is not None,
    }
    for reason, holds in reasons.items():
        if holds:
            raise RisbenchError(f"{run.path} cannot be entered: {reason}")


def _refuse_other_ids(run: Run, rows: list[Row], split: Split) -> None:
    ids = [row.id for row in rows]
    if len(set(ids)) < len(ids):
        raise DataError(f"{run.path / ROWS}: an expression is there twice")
    found, known = set(ids), set(split.ids)
    absent, odd = [name for name in split.ids if name not in found], [name for name in ids if name not in known]
    if absent or odd:
        which = f"lacks {absent[0]}" if absent else f"holds {odd[0]}, which is not in {split.name}"
        raise DataError(f"{run.path / ROWS}: {which}")


def _lines(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    found_ids: set[str] = set()
    for number, line in jsonlines.read(run.path / MASKS):
        if line.get("id") in found_ids:
            raise DataError(f"{run.path / MASKS}, line {number}: {line.get('id')} is there twice")
        found_ids.add(str(line.get("id")))
        yield str(line.get("id")), line


def _compare(
    run: Run, sample: Sample, rules: Rules, row: Row, lines: Mapping[str, dict[str, Any]], heats: Heats | None
) -> None:
    if sample.id not in lines:
        raise DataError(f"{run.path / MASKS}: no mask for {sample.id}")
    line = lines[sample.id]
    answers = {"mask": prediction_in(line)}
    if heats is not None and line.get("cut") and (brought := heats.task_of(sample.id, sample.image_id)()) is not None:
        # A point of the method itself replaces the maximum of its heat.
        answers["heat"] = replaced(brought, point=None if line.get("found") else answers["mask"].point)
    for kind, prediction in answers.items():
        try:
            checked = prediction if rules.takes(prediction) else prediction_of(prediction, sample)
        except MaskError as error:
            raise DataError(f"{run.path / MASKS}: {error}") from None
        found = row_of(sample, rules.judge(sample, _as_scored(checked, row)))
        for key in _SCORES:
            if getattr(found, key) != getattr(row, key):
                raise DataError(
                    f"{run.path / ROWS}: {sample.id} says {key} {getattr(row, key)}, its {kind} gives "
                    f"{getattr(found, key)}: the row was not made from it"
                )


def _as_scored(prediction: Prediction, row: Row) -> Prediction:
    """The prediction, without a stored point that the rules do not use."""
    if row.hit_box is None and row.hit_mask is None and prediction.point is not None:
        return Prediction(mask=prediction.mask, heat=prediction.heat, boxes=prediction.boxes)
    return prediction


def _compare_summary(run: Run, rows: list[Row]) -> None:
    if absent := [name for name in DEFAULT if name not in run.summary["metrics"]]:
        raise DataError(f"{run.path}: its summary lacks {absent[0]}")
    if changed := change_texts(run, rows):
        raise DataError(f"{run.path}: {changed[0]}")
