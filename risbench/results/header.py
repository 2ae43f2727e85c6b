"""A run's header, ``header.json``: what was run, on what, by which rules, where and when.

The classes are the file: a field bears its key's name, fields stand in the order of the keys, and the check of a
header that is read follows from them (`risbench.results.jsonrecord`). Every class has a field ``source``: the JSON
object it was read from, with keys of other versions, which are written again; None for what was made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRecord:
    """The method that was run, or that the predictions are of.

    Attributes:
        name: of an installed method; or what its runs are called.
        entry_point: the factory ``package.module:name`` behind the name; None for an object or predictions brought.
        card: what the method says of itself; see `risbench.methods.cards`.
    """

    name: str
    entry_point: str | None
    card: Json
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentsRecord:
    """What the method was made with, or which predictions were scored.

    Attributes:
        given: the options that were given.
        defaulted: the other options of the method's factory, with their defaults.
        weights: the file or name of the weights, of a method given by name.
        predictions: the form of predictions that were brought.
        sha256: of the predictions that were brought.
        allow_missing: whether predictions might be missing.
    """

    given: Json = field(default_factory=dict)
    defaulted: Json = field(default_factory=dict)
    weights: str | None = None
    predictions: str | None = None
    sha256: str | None = None
    allow_missing: bool | None = None
    source: Json | None = field(default=None, repr=False, compare=False)

    @property
    def options(self) -> dict[str, Any]:
        """All options, given or not."""
        return {**self.defaulted, **self.given}


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesRecord:
    """The rules in force; see `risbench.metrics.rules.protocols`.

    Attributes:
        name: ``tris``, ``lavt`` or ``clean``.
        text: the protocol in one sentence, as the version that ran said it.
        threshold: what overrode the protocol's own, or the card's under ``clean``; None for the protocol's own.
        version: of what the protocol computes; absent for the first.
    """

    name: str
    text: str
    threshold: float | None
    version: int = 1
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsRecord:
    """How much a split holds; None where nobody knows.

    Attributes:
        images: of them, each counted once.
        refs: objects that expressions are about.
        expressions: samples.
    """

    images: int | None
    refs: int | None
    expressions: int | None
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """A file that a split was read from.

    Attributes:
        file: its name.
        folder: the name of its folder; absent from the oldest headers.
        sha256: of its content.
    """

    file: str
    folder: str = ""
    sha256: str
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRecord:
    """The split as annotated, before a limit, a shard or other masks.

    Attributes:
        name: the canonical one.
        counts: what this copy holds.
        expected: what the literature's copy holds.
        partial: whether it is not the literature's whole split.
        sources: the files it was read from.
    """

    name: str
    counts: CountsRecord
    expected: CountsRecord
    partial: bool
    sources: tuple[SourceRecord, ...]
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRecord:
    """The file that other masks than the annotated ones came from.

    Attributes:
        file: its name.
        sha256: of its content.
        replaces: how many expressions it gives a mask.
        of: how many expressions the split has.
        only: whether the other expressions are left out.
    """

    file: str
    sha256: str
    replaces: int
    of: int
    only: bool
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRecord:
    """The computer.

    Attributes:
        system: its operating system.
        processor: the model.
        cores: how many this process may use.
        gpu: the model of the first one; None where torch was not in use, or found none.
    """

    system: str
    processor: str
    cores: int | None
    gpu: str | None
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """One part of a run: each time that its command was given adds one. Parts are recorded, not compared.

    Attributes:
        command: the command line.
        started: UTC.
        python: its version.
        packages: versions by distribution.
        commit: of this project's checkout; None where it was installed.
        machine: the computer.
        truth: the path of the file of other masks, where it lay.
        device: where the method ran.
        method_commit: of the method's checkout; None where there was none.
        refiner: what the refiner's name stood for.
        predictions: the path of predictions that were brought.
        cautions: what was odd about the predictions, in sentences.
        facts: what the method learnt while running.
        finished: UTC, of the part that finished the run.
    """

    command: tuple[str, ...] = ()
    started: str
    python: str = ""
    packages: Json
    commit: str | None
    machine: MachineRecord
    truth: str | None = None
    device: str | None = None
    method_commit: str | None = None
    refiner: str | None = None
    predictions: str | None = None
    cautions: tuple[str, ...] = ()
    facts: Json = field(default_factory=dict)
    finished: str | None = None
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All of ``header.json``.

    Attributes:
        schema: the version of the run folder's form.
        method: what was run.
        arguments: what it was made with.
        texts: ``given``, or the control that was run.
        refine: the refiner that made the masks; None without one.
        rules: how it was scored.
        split: what it was scored on.
        truth: where other masks came from; None for the annotated ones.
        partial: whether less than the literature's split was to be run, before shards.
        limit: how many images, from the first; None for all.
        shard: ``(i, n)``: every n-th image from the i-th; None for all.
        save_heat: the type that heats are kept in; None where they are not kept.
        data_root: where the data lay.
        origin: the code and files that made the rows; see `risbench.results.origin`. None where nobody recorded it.
        provenance: the parts, the first one first.
    """

    schema: int
    method: MethodRecord
    arguments: ArgumentsRecord
    texts: str
    refine: str | None = None
    rules: RulesRecord
    split: SplitRecord
    truth: TruthRecord | None = None
    partial: bool
    limit: int | None
    shard: tuple[int, int] | None
    save_heat: str | None
    data_root: str
    origin: Json | None = None
    provenance: tuple[PartRecord, ...]
    source: Json | None = field(default=None, repr=False, compare=False)

    @property
    def is_part(self) -> bool:
        """Whether fewer images than the split's were to be run, by a limit or a shard."""
        return self.limit is not None or self.shard is not None
