"""One entry of the leaderboard: a method's measured and published figures on a split, with every key checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError
from ..io.jsonfile import read_record
from ..metrics.metric_names import parse
from ..metrics.rules.protocols import text_of
from ..results import jsonlines
from ..results.jsonrecord import to_json
from ..results.kinds import ANY, LIST, NONE, NUMBER, TEXT, WHOLE, Each, Maybe
from ..results.kinds import check as check_kinds
from ..results.run import Run
from ..results.schema import COUNTS, INTERVAL, MACHINE, RULES, SOURCE, check_metrics
from ..statistics.ratios import METHOD
from .possible import refuse_impossible
from .published import figures_of

SCHEMA = 1
# The keys of an entry and their types; see `results.kinds`.
_MEASURED: dict[str, Any] = {
    "metrics": ANY,
    "intervals": Maybe(TEXT),  # how the bounds were made; missing in older entries
    "count": WHOLE,
    "rules": RULES,
    "texts": TEXT,
    "refine": Maybe(TEXT),  # where masks were refined
    "warnings": Maybe([TEXT]),  # to be shown with the figures; see `Run.cautions`
    "card": ANY,
    "arguments": ANY,
    "entry_point": TEXT + NONE,
    "inputs": [SOURCE],
    "counts": COUNTS,
    "rows_sha256": TEXT,
    "masks_sha256": TEXT,
    "date": TEXT,
    "commit": TEXT + NONE,
    "packages": Each(TEXT),
    "hardware": MACHINE,
    "device": TEXT + NONE,
    "cost": ANY + NONE,
}
_ENTRY = {"schema": WHOLE, "split": TEXT, "method": TEXT, "measured": _MEASURED, "reported": LIST}
_FIGURE = {
    "metric": TEXT,
    "value": NUMBER,
    "source": TEXT,
    "confidence": TEXT,
    "supervision": TEXT,
    "note": TEXT + NONE,
}
_UNSAFE = re.compile(r"[^\w.+-]+")


def make_entry(run: Run, digests: Mapping[str, str], method: str | None = None) -> dict[str, Any]:
    """The entry of a run that was verified.

    Args:
        run: a complete run.
        digests: the SHA-256 of its ``rows`` and ``masks``, over the lines that were verified.
        method: the name on the board; by default the method's own, with the control and the refiner.
    """
    header, last = run.about, run.about.provenance[-1]
    refine = header.refine
    name = method or "".join(
        [
            run.summary["method"],
            "" if header.texts == "given" else f"+{header.texts}-texts",
            f"+{refine}" if refine else "",
        ]
    )
    split = header.split.name
    return {
        "schema": SCHEMA,
        "split": split,
        "method": name,
        "measured": {
            "metrics": run.summary["metrics"],
            **({"intervals": made} if (made := run.summary.get("intervals")) else {}),
            "count": run.summary["count"],
            "rules": {**to_json(header.rules), "text": text_of(to_json(header.rules))},
            "texts": header.texts,
            **({"refine": refine} if refine else {}),
            **({"warnings": cautions} if (cautions := run.cautions()) else {}),
            "card": header.method.card,
            "arguments": to_json(header.arguments),
            "entry_point": header.method.entry_point,
            "inputs": to_json(header.split.sources),
            "counts": to_json(header.split.counts),
            "rows_sha256": digests["rows"],
            "masks_sha256": digests["masks"],
            "date": last.started[:10],
            "commit": last.commit,
            "packages": last.packages,
            "hardware": to_json(last.machine),
            "device": last.device,
            "cost": _cost(run),
        },
        "reported": [
            {key: value for key, value in asdict(figure).items() if key not in ("method", "split")}
            for figure in figures_of(name, split)
        ],
    }


def check(entry: Any, where: str) -> dict[str, Any]:
    """The entry itself, after all checks.

    Raises:
        DataError: it has another schema, an absent or unknown key, a value of the wrong type, or figures that
            contradict each other; the key is named.
    """
    if not isinstance(entry, dict):
        raise DataError(f"{where}: an entry is a JSON object, not {type(entry).__name__}")
    if entry.get("schema") != SCHEMA:
        raise DataError(f"{where}: schema {entry.get('schema')!r:.40}; this version reads {SCHEMA}")
    check_kinds(entry, _ENTRY, where, closed="an entry")
    for name in entry["measured"]["metrics"]:
        try:
            canonical = parse(name).name
        except UsageError as error:
            raise DataError(f"{where}: measured.metrics: {error!s:.300}") from None
        if canonical != name:
            raise DataError(f"{where}: measured.metrics.{name:.80}: write {canonical}")
    check_kinds(entry["measured"]["metrics"], Each(INTERVAL), where, "measured.metrics", closed="an entry")
    check_metrics(entry["measured"]["metrics"], where, "measured.metrics")
    refuse_impossible(entry["measured"], where)
    for place, figure in enumerate(entry["reported"]):
        check_kinds(figure, _FIGURE, where, f"reported[{place}]", closed="an entry")
        if not 0 <= figure["value"] <= 1:
            raise DataError(f"{where}: reported[{place}].value is {figure['value']!s:.40}; figures are fractions")
    return entry


def read(path: Path) -> dict[str, Any]:
    """Read and check an entry. Its file must have the names of its split and method.

    Raises:
        DataError: it is not an entry, or the file has another name.
    """
    entry = check(read_record(path), str(path))
    if (path.parent.name, path.name) != (entry["split"], file_name(entry["method"])):
        raise DataError(
            f"{path}: is of {entry['method']!r:.80} on {entry['split']!r:.80}, so it belongs to "
            f"{file_name(entry['split'])[:-5]}/{file_name(entry['method'])}"
        )
    return entry


def write(entry: Mapping[str, Any], board: Path) -> Path:
    """Check an entry, write it to its file on a board, and return the file."""
    path = board / entry["split"] / file_name(entry["method"])
    check(entry, str(path))
    jsonlines.replace(path, json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    return path


def entry_warnings(entry: Mapping[str, Any]) -> list[str]:
    """The warnings to print with an entry's figures, each a sentence without its full stop."""
    measured = entry["measured"]
    bounded = any(number["low"] is not None for number in measured["metrics"].values())
    old = bounded and measured.get("intervals") != METHOD
    outdated = (
        ["its intervals were made by an older version, or changed: score its run again and submit it"] if old else []
    )
    return [*outdated, *measured.get("warnings", [])]


def file_name(method: str) -> str:
    """The file of a method's entry."""
    return (_UNSAFE.sub("_", method).strip("._") or "method")[:100] + ".json"


def _cost(run: Run) -> dict[str, Any] | None:
    parts = run.cost()
    if not parts:
        return None
    seconds = sum(part["seconds"] for part in parts)
    largest = {
        key: max((part[key] for part in parts if part.get(key) is not None), default=None)
        for key in ("parameters", "peak_memory_bytes", "peak_gpu_memory_bytes")
    }
    images = sum(part["images"] for part in parts)
    return {"images_per_second": round(images / seconds, 3) if seconds else None, **largest}
