"""Find the runs below a folder again: complete, unfinished and broken ones, the newest first."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import RisbenchError
from ..plain import counted
from .folder import HEADER, ROWS, SHARDS, SUMMARY, TIME
from .header import Header
from .jsonrecord import from_json
from .run import Run, read_header

_DEPTH = 5  # of folders; a run's own place is runs/<split>/<method>/<time>
_LATEST = 253_000_000_000.0  # seconds: near the end of the year 9987, beyond which Python has no dates
_OF_A_TRAINING = ("recipe.json", "starts.jsonl", "log.jsonl")  # its scores are its own, not runs that somebody made


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run folder as it was found.

    Attributes:
        path: the folder.
        state: ``complete``, ``running`` (a process writes to it), ``unfinished`` or ``broken``.
        about: why it is not complete, in words; empty for a complete run.
        when: when it was finished, else when it was last written to, UTC.
        written: the time of its newest file in nanoseconds, which orders runs of the same second.
        split, method, rules: their names; empty if the header cannot be read.
        texts, refine: the control and the refiner, None for none.
        partial: whether it is of less than the whole split.
        count: the number of expressions that are scored.
        metrics: ``{"value", "low", "high", "count"}`` by metric, fractions; empty if it is not complete.
    """

    path: Path
    state: Literal["complete", "running", "unfinished", "broken"]
    about: str = ""
    when: datetime
    written: int
    split: str = ""
    method: str = ""
    rules: str = ""
    texts: str | None = None
    refine: str | None = None
    partial: bool = False
    count: int = 0
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def past_runs(base: Path) -> list[PastRun]:
    """The runs below a folder, the newest first; none if there is no such folder. Links are not followed."""
    found = [_readable(folder) for folder in _folders(base, _DEPTH)]
    return sorted(found, key=lambda run: (run.when, run.written, str(run.path)), reverse=True)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    inside: list[Path] = []
    try:
        is_run = (folder / HEADER).is_file() or (folder / SHARDS).is_dir()
        if not is_run and depth and not any((folder / name).is_file() for name in _OF_A_TRAINING):
            inside = sorted(item for item in folder.iterdir() if item.is_dir() and not item.is_symlink())
    except OSError:  # a folder that may not be looked into hides no other
        return
    if is_run:
        yield folder
    for item in inside:
        if not item.name.startswith("."):
            yield from _folders(item, depth - 1)


def _readable(folder: Path) -> PastRun:
    try:
        return _read(folder)
    except OSError as error:
        about = f"{folder}: {error.strerror}"
        return PastRun(path=folder, state="broken", about=about, when=datetime.fromtimestamp(0, UTC), written=0)


def _read(folder: Path) -> PastRun:
    written = _written(folder)
    stamp = datetime.fromtimestamp(min(written / 1e9, _LATEST), UTC).replace(microsecond=0)
    if not (folder / HEADER).is_file():
        return _shards(folder, stamp, written)
    try:
        if (folder / SUMMARY).is_file():
            return _complete(Run.load(folder), stamp, written)
        header = from_json(Header, read_header(folder / HEADER))
    except RisbenchError as error:
        return PastRun(path=folder, state="broken", about=str(error), when=stamp, written=written)
    busy = _is_busy(folder)
    count = _lines(folder / ROWS)
    whole = header.split.counts.expressions
    # Of a limit or a shard the number of its expressions is not recorded.
    of = f" of {whole}" if whole is not None and not header.is_part else ""
    return PastRun(
        path=folder,
        state="running" if busy else "unfinished",
        about=f"{count}{of} expressions are scored"
        + ("" if busy else "; its command with --out of this folder goes on"),
        when=stamp,
        written=written,
        split=header.split.name,
        method=header.method.name,
        rules=header.rules.name,
        texts=_control(header.texts),
        refine=header.refine,
        partial=header.partial,
        count=count,
    )


def _complete(run: Run, stamp: datetime, written: int) -> PastRun:
    header, summary = run.about, run.summary
    when = stamp
    for part in header.provenance:
        with suppress(TypeError, ValueError):
            when = datetime.strptime(part.finished or "", TIME).replace(tzinfo=UTC)
    return PastRun(
        path=run.path,
        state="complete",
        when=when,
        written=written,
        split=summary["split"],
        method=summary["method"],
        rules=summary["rules"]["name"],
        texts=_control(summary["texts"]),
        refine=header.refine,
        partial=bool(summary["partial"]),
        count=summary["count"],
        metrics=summary["metrics"],
    )


def _shards(folder: Path, stamp: datetime, written: int) -> PastRun:
    """A folder of shards that were not merged; it has the header of its first shard."""
    shards = sorted(item for item in (folder / SHARDS).iterdir() if (item / HEADER).is_file())
    done = sum((item / SUMMARY).is_file() for item in shards)
    of = max((int(end) for item in shards if (end := item.name.rpartition("-")[2]).isdecimal()), default=0)
    about = f"{done} of {counted(of, 'shard')} finished"
    if done and done == of:
        about += f"; `risbench merge {folder}` makes the run"
    busy = any(map(_is_busy, shards))
    first = _read(shards[0]) if shards else None
    return PastRun(
        path=folder,
        state="running" if busy else "unfinished",
        about=about,
        when=stamp,
        written=written,
        split=first.split if first else "",
        method=first.method if first else "",
        rules=first.rules if first else "",
        texts=first.texts if first else None,
        refine=first.refine if first else None,
        count=sum(_lines(item / ROWS) for item in shards),
    )


def _control(texts: str) -> str | None:
    return None if texts == "given" else texts


def _written(folder: Path) -> int:
    files = [folder / name for name in (SUMMARY, ROWS, HEADER)]
    if (folder / SHARDS).is_dir():
        files += [*folder.glob(f"{SHARDS}/*/{ROWS}"), folder / SHARDS]
    times = [0]
    for file in files:
        with suppress(OSError):
            times.append(file.stat().st_mtime_ns)
    return max(times)


def _lines(file: Path) -> int:
    with suppress(OSError), file.open("rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))
    return 0


def _is_busy(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        with (folder / ".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
