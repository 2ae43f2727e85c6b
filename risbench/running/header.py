"""A run's header: everything needed to say what was run, on what, by which rules, where and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..datasets.split import Split
from ..metrics.rules.protocols import Rules
from ..results.folder import SCHEMA
from ..results.provenance import provenance
from ..statistics.ratios import METHOD


def header_of(
    split: Split,
    rules: Rules,
    *,
    method: str,
    entry_point: str | None,
    card: Mapping[str, Any],
    arguments: Mapping[str, Any],
    partial: bool,
    texts: str = "given",
    refine: str | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    save_heat: str | None = None,
    origin: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The header of a run about to be made.

    Args:
        split: the whole split, before ``limit`` and ``shard``.
        rules: the rules in force.
        method: its name.
        entry_point: what the name stands for, or None for an object or predictions brought.
        card: the method's card.
        arguments: ``given`` and ``defaulted``.
        partial: whether less than the literature's split is run.
        texts: the control, or ``given``.
        refine: the refiner, or None for heats that the rules or the method cut.
        limit: how many images, or None for all.
        shard: which part of how many.
        save_heat: the type heats are kept in, or None.
        origin: the code and files that make the rows; see `risbench.results.origin`.
    """
    made = provenance()
    if split.truth is not None:
        made["truth"] = str(split.truth.path.absolute())
    return {
        "schema": SCHEMA,
        "method": {"name": method, "entry_point": entry_point, "card": dict(card)},
        "arguments": dict(arguments),
        "texts": texts,
        "refine": refine,
        "rules": rules.record(),
        "split": split_record(split),
        "truth": truth_record(split),
        "partial": partial,
        "limit": limit,
        "shard": list(shard) if shard else None,
        "save_heat": save_heat,
        "data_root": str(split.data_root),
        "origin": None if origin is None else dict(origin),
        "provenance": [made],
    }


def split_record(split: Split) -> dict[str, Any]:
    """What a result says of its split as annotated: counts, and the names and hashes of the files it was read from."""
    if split.truth is not None:
        split = split.truth.whole
    return {
        "name": split.name,
        "counts": split.counts._asdict(),
        "expected": split.expected._asdict(),
        "partial": split.partial,
        "sources": [
            {"file": path.name, "folder": path.parent.name, "sha256": digest} for path, digest in split.sources
        ],
    }


def truth_record(split: Split) -> dict[str, Any] | None:
    """What a result says of the file that other masks came from; None where they are the annotated ones."""
    return None if split.truth is None else split.truth.record()


def summary_record(header: Mapping[str, Any], metrics: Mapping[str, Any], count: int, missing: int) -> dict[str, Any]:
    """``summary.json``: the numbers, and what they are of."""
    # A summary alone must not pass for one on the annotated masks.
    truth = {} if header.get("truth") is None else {"truth": header["truth"]}
    return {
        "schema": SCHEMA,
        "method": header["method"]["name"],
        "split": header["split"]["name"],
        "rules": header["rules"],
        "texts": header["texts"],
        **truth,
        "count": count,
        "missing": missing,
        "partial": bool(header["partial"] or header["shard"]),
        "intervals": METHOD,
        "metrics": dict(metrics),
    }
