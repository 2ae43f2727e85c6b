"""A run's header, ``header.json``: what was run, on what, by which rules, where and when.

The classes define the file: each field has the name of its key, and fields are in the order of the keys. The check of a
header that is read is derived from them (`risbench.results.jsonrecord`). Every class has a field ``source``: the JSON
object that it was read from, with keys of other versions, which are written again; None for a new object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRecord:
    """The method that was run, or that made the predictions.

    Attributes:
        name: the name of an installed method, or the name given to its runs.
        entry_point: the factory ``package.module:name`` of the name; None for an object or for predictions from files.
        card: the method's card; see `risbench.methods.cards`.
    """

    name: str
    entry_point: str | None
    card: Json
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentsRecord:
    """The arguments of the method, or the predictions that were scored.

    Attributes:
        given: the options that were given.
        defaulted: the other options of the method's factory, with their defaults.
        weights: the file or name of the weights, for a method given by name.
        predictions: the format of predictions from files.
        sha256: the SHA-256 of predictions from files.
        allow_missing: whether predictions were allowed to be missing.
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
        text: the protocol in one sentence, in the wording of the version that ran.
        threshold: the threshold that replaced the protocol's own, or under ``clean`` the card's; None for the
            protocol's own.
        version: the version of the protocol's computation; absent for the first.
    """

    name: str
    text: str
    threshold: float | None
    version: int = 1
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsRecord:
    """The counts of a split; None for an unknown count.

    Attributes:
        images: number of distinct images.
        refs: number of objects with expressions.
        expressions: number of samples.
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
        sha256: the SHA-256 of its content.
    """

    file: str
    folder: str = ""
    sha256: str
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRecord:
    """The split as annotated, before a limit, a shard or other masks.

    Attributes:
        name: its canonical name.
        counts: the counts of this copy.
        expected: the counts in the literature.
        partial: whether it differs from the split in the literature.
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
    """The file of masks that replaced the annotated ones.

    Attributes:
        file: its name.
        sha256: the SHA-256 of its content.
        replaces: number of expressions with a mask from it.
        of: number of expressions of the split.
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
        processor: its model.
        cores: number of cores that this process may use.
        gpu: the model of the first GPU; None if torch was not in use, or found no GPU.
    """

    system: str
    processor: str
    cores: int | None
    gpu: str | None
    source: Json | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """One part of a run; every call of its command adds a part. Parts are recorded, not compared.

    Attributes:
        command: the command line.
        started: start time, UTC.
        python: the version of Python.
        packages: versions by distribution.
        commit: the commit of this project's checkout; None if it was installed.
        machine: the computer.
        truth: the path of the file of other masks.
        device: the method's device.
        method_commit: the commit of the method's checkout; None if there was none.
        refiner: the refiner's entry point.
        predictions: the path of predictions from files.
        cautions: warnings about the predictions, in sentences.
        facts: facts that the method reported during the run.
        finished: end time, UTC, of the part that finished the run.
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
        schema: the version of the run folder's format.
        method: the method.
        arguments: its arguments.
        texts: ``given``, or the control that was run.
        refine: the refiner that made the masks; None for no refiner.
        rules: the rules of the scores.
        split: the split.
        truth: the file of other masks; None for the annotated ones.
        partial: whether the run is of less than the split in the literature, without regard to shards.
        limit: number of images, from the first; None for all.
        shard: ``(i, n)``: every n-th image from the i-th; None for all.
        chosen: which samples of the split were chosen, as ``[:10]``; None for all.
        save_heat: the type of saved heats; None if heats are not saved.
        data_root: the folder of the data.
        origin: the code and files that made the rows; see `risbench.results.origin`. None if it was not recorded.
        provenance: the parts, in order.
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
    chosen: str | None = None
    provenance: tuple[PartRecord, ...]
    source: Json | None = field(default=None, repr=False, compare=False)

    @property
    def is_part(self) -> bool:
        """Whether the run is of only a part of the split, by a limit, a shard or a choice."""
        return self.limit is not None or self.shard is not None or self.chosen is not None
