"""Merge the shards of a run into the run folder that one process would have made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..datasets.choose import refuse_empty
from ..datasets.split import Split
from ..errors import RisbenchError, UsageError
from ..io import atomic
from ..io.jsonfile import read_record
from ..plain import counted
from ..results import jsonlines, origin
from ..results.folder import COST, HEADER, HEATS, ROWS, SHARDS, SUMMARY, RunFolder
from ..results.header import Header
from ..results.identity import IDENTITY, refuse_another, same
from ..results.jsonrecord import to_json
from ..results.run import Run
from ..results.scored import scored_split, split_record, truth_record
from .evaluation import close

PATIENCE = 3600.0


def merge(
    out: str | Path,
    data_root: str | Path | None = None,
    split: Split | None = None,
    *,
    overwrite: bool = False,
) -> Run:
    """Make the run folder of finished shards.

    Args:
        out: the run folder; its shards lie in ``shards/``.
        data_root: where the split lies; by default where the run found it.
        split: the split itself, if it is loaded already.
        overwrite: replace the run that the folder already holds.

    Raises:
        UsageError: there are no shards, or they belong to different runs, or to runs by different code.
        RisbenchError: a shard is absent or unfinished, or an id is there twice or not at all.
    """
    path = Path(out)
    shards = _shards(path)
    header = _common_header(shards)
    whole = split or scored_split(header, path, data_root)
    if split_record(whole) != header.split or truth_record(whole) != header.truth:
        raise RisbenchError(f"{path} was run on another copy of {header.split.name} than the one in {whole.data_root}")
    if header.chosen != (whole.selection and whole.selection.text):
        raise UsageError(f"{path} is of chosen samples ({header.chosen}): give merge that part of the split as split=")
    part = refuse_empty(whole if header.limit is None else whole.first_images(header.limit))
    order = {sample_id: place for place, sample_id in enumerate(part.ids)}
    if (path / HEADER).exists() and not overwrite:
        earlier = read_record(path / HEADER)
        refuse_another(path, earlier, to_json(header))
        origin.refuse_other(path, earlier.get("origin"), header.origin)
        if (path / SUMMARY).exists():
            return Run.load(path)
        # An interrupted merge has already recorded the provenance of the shards.
        known = earlier.get("provenance", [])
        header = replace(header, provenance=tuple(part for part in header.provenance if to_json(part) not in known))
    _refuse_unless_once([name for shard in shards for name in Run.load(shard).columns().ids], order, path)
    with RunFolder(path, header, "overwrite" if overwrite else "anew") as folder:
        folder.take_over(shards)
        costs = [cost for shard in shards for cost in Run.load(shard).cost()]
        jsonlines.replace_own(path / COST, json.dumps(costs, indent=2) + "\n")
        try:
            for heat in (heat for shard in shards for heat in sorted((shard / HEATS).glob("*.npz"))):
                (path / HEATS).mkdir(exist_ok=True)
                atomic.copy(heat, path / HEATS / heat.name)
        except OSError as error:
            raise jsonlines.full(path / HEATS, error) from error
        close(folder, part)
    return Run.load(path)


def wait_for_shards(
    out: Path,
    count: int,
    on_ready: Callable[[int], None] | None = None,
    seconds: float = 0.5,
    patience: float = PATIENCE,
    begun_after: str | None = None,
) -> None:
    """Wait until all shards of a run are finished; other ranks are writing them.

    Args:
        out: the run folder.
        count: how many shards there are.
        on_ready: called with the number of finished shards, when it changes.
        seconds: between two checks.
        patience: seconds without a new row in any shard, after which waiting ends.
        begun_after: a UTC time as in headers. Shards begun before it do not count, because they will be overwritten.

    Raises:
        RisbenchError: waiting ended; what the shards wrote stays, and they can be continued.
    """
    before, grown, since = -1, -1, time.monotonic()
    while True:
        rows = sum(_length(out / SHARDS / f"{number}-of-{count}" / ROWS) for number in range(count))
        if rows != grown:
            grown, since = rows, time.monotonic()
        ready = sum(_is_ready(out / SHARDS / f"{number}-of-{count}", begun_after) for number in range(count))
        if ready != before and on_ready is not None:
            on_ready(ready)
        if ready == count:
            return
        before = ready
        if time.monotonic() - since > patience:
            raise RisbenchError(
                f"{out}: {count - ready} of {count} shards are not finished and have written nothing for "
                f"{patience:g} seconds (--patience); when they are finished, give `risbench merge {out}`"
            )
        time.sleep(seconds)


def _is_ready(shard: Path, begun_after: str | None) -> bool:
    if not (shard / SUMMARY).exists():
        return False
    if begun_after is None:
        return True
    with suppress(RisbenchError, KeyError, IndexError, TypeError):
        return str(read_record(shard / HEADER)["provenance"][-1]["started"]) >= begun_after
    return False


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _shards(path: Path) -> list[Path]:
    found = sorted((path / SHARDS).glob("*-of-*")) if (path / SHARDS).is_dir() else []
    if not found:
        raise UsageError(f"{path} has no shards: `risbench run … --shard I/N --out {path}` makes them")
    counts = {shard.name.partition("-of-")[2] for shard in found}
    if len(counts) > 1:
        raise UsageError(f"{path / SHARDS} holds shards of {' and of '.join(sorted(counts))}: remove the wrong ones")
    count = counts.pop()
    if not count.isdecimal() or int(count) < 1:
        raise UsageError(f"{found[0]} is not named I-of-N")
    wanted = [path / SHARDS / f"{number}-of-{count}" for number in range(int(count))]
    missing = [shard.name for shard in wanted if not (shard / SUMMARY).exists()]
    if missing:
        raise RisbenchError(f"{path}: not finished: shard {', '.join(missing)}; run it with --shard I/N --out {path}")
    return wanted


def _common_header(shards: list[Path]) -> Header:
    records = [read_record(shard / HEADER) for shard in shards]
    first = records[0]
    for shard, record in zip(shards, records, strict=True):
        for key in IDENTITY:
            if key != "shard" and not same(key, record.get(key), first.get(key)):
                raise UsageError(f"{shards[0]} and {shard} are parts of different runs: their {key} differ")
        if (found := origin.code_difference(first.get("origin"), record.get("origin"))) is not None:
            raise UsageError(
                f"{shards[0]} and {shard} were made by different code: {found}; run one of them again with --overwrite"
            )
    headers = [Run.load(shard).about for shard in shards]
    parts = tuple(part for header in headers for part in header.provenance)
    unknown = next((header for header in headers if not origin.is_known(header.origin)), headers[0])
    return replace(headers[0], shard=None, origin=unknown.origin, provenance=parts)


def _refuse_unless_once(ids: list[str], order: dict[str, int], path: Path) -> None:
    found_ids: set[str] = set()
    for name in ids:
        if name in found_ids:
            raise RisbenchError(f"{path}: {name} is in more than one shard")
        if name not in order:
            raise RisbenchError(f"{path}: {name} does not belong to the split")
        found_ids.add(name)
    absent = [name for name in order if name not in found_ids]
    if absent:
        count = counted(len(absent), "expression is", "expressions are")
        raise RisbenchError(f"{path}: {count} in no shard, the first is {absent[0]}")
