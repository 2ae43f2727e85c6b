"""A run's header: everything needed to say what was run, on what, by which rules, where and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .datasets.split import Split
from .metrics.rules import Rules
from .results.folder import SCHEMA
from .results.provenance import provenance


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
    """
    return {
        "schema": SCHEMA,
        "method": {"name": method, "entry_point": entry_point, "card": dict(card)},
        "arguments": dict(arguments),
        "texts": texts,
        "refine": refine,
        "rules": rules.record(),
        "split": split_record(split),
        "partial": partial,
        "limit": limit,
        "shard": list(shard) if shard else None,
        "save_heat": save_heat,
        "data_root": str(split.data_root),
        "provenance": [provenance()],
    }


def split_record(split: Split) -> dict[str, Any]:
    """What a result says of its split: counts, and the names and hashes of the files it was read from."""
    return {
        "name": split.name,
        "counts": split.counts._asdict(),
        "expected": split.expected._asdict(),
        "partial": split.partial,
        "sources": [
            {"file": path.name, "folder": path.parent.name, "sha256": digest} for path, digest in split.sources
        ],
    }


def summary_record(header: Mapping[str, Any], metrics: Mapping[str, Any], count: int, missing: int) -> dict[str, Any]:
    """``summary.json``: the numbers, and what they are of."""
    return {
        "schema": SCHEMA,
        "method": header["method"]["name"],
        "split": header["split"]["name"],
        "rules": header["rules"],
        "texts": header["texts"],
        "count": count,
        "missing": missing,
        "partial": bool(header["partial"] or header["shard"]),
        "metrics": dict(metrics),
    }
