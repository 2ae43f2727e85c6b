"""A run's header: everything needed to say what was run, on what, by which rules, where and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..datasets.split import Split
from ..metrics.rules.protocols import Rules
from ..results.folder import SCHEMA
from ..results.header import ArgumentsRecord, Header, MethodRecord, PartRecord, RulesRecord
from ..results.jsonrecord import from_json, to_json
from ..results.provenance import provenance
from ..results.scored import split_record, truth_record
from ..statistics.ratios import METHOD


@dataclass(frozen=True, slots=True, kw_only=True)
class HowMade:
    """How a method, or the predictions, were made.

    Attributes:
        method: name, entry point and card.
        arguments: what the method was made with, or which predictions these are.
        origin: the code and files that make the rows; see `risbench.results.origin`.
        part: what this part's provenance says besides the process: device, commit, refiner, predictions.
    """

    method: MethodRecord
    arguments: ArgumentsRecord
    origin: Mapping[str, Any]
    part: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much of a split is run, and in which variant.

    Attributes:
        partial: whether less than the literature's split is run.
        texts: the control, or ``given``.
        refine: the refiner, or None for heats that the rules or the method cut.
        limit: how many images, or None for all.
        shard: which part of how many.
        save_heat: the type heats are kept in, or None.
        chosen: which samples were chosen, if the split that is given does not say it.
    """

    partial: bool
    texts: str = "given"
    refine: str | None = None
    limit: int | None = None
    shard: tuple[int, int] | None = None
    save_heat: str | None = None
    chosen: str | None = None


def header_of(split: Split, rules: Rules, how: HowMade, scope: Scope) -> Header:
    """The header of a run about to be made.

    Args:
        split: the whole split, before ``limit`` and ``shard``.
        rules: the rules in force.
        how: how the method was made.
        scope: how much is run.
    """
    truth = {} if split.truth is None else {"truth": str(split.truth.path.absolute())}
    return Header(
        schema=SCHEMA,
        method=how.method,
        arguments=how.arguments,
        texts=scope.texts,
        refine=scope.refine,
        rules=from_json(RulesRecord, rules.record()),
        split=split_record(split),
        truth=truth_record(split),
        partial=scope.partial,
        limit=scope.limit,
        shard=scope.shard,
        save_heat=scope.save_heat,
        chosen=scope.chosen if split.selection is None else split.selection.text,
        data_root=str(split.data_root),
        origin=how.origin,
        provenance=(from_json(PartRecord, {**provenance(), **truth, **how.part}),),
    )


def summary_record(header: Header, metrics: Mapping[str, Any], count: int, missing: int) -> dict[str, Any]:
    """``summary.json``: the numbers, and what they are of."""
    # A summary alone must not pass for one on the annotated masks.
    truth = {} if header.truth is None else {"truth": to_json(header.truth)}
    return {
        "schema": SCHEMA,
        "method": header.method.name,
        "split": header.split.name,
        "rules": to_json(header.rules),
        "texts": header.texts,
        **truth,
        "count": count,
        "missing": missing,
        "partial": header.partial or header.shard is not None,
        "intervals": METHOD,
        "metrics": dict(metrics),
    }
