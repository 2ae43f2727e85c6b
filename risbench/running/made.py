"""A method and how it was made: by name, from an entry point or a file, or as an object that somebody brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets.catalog import find
from ..datasets.load import is_to_be_drawn
from ..datasets.split import Split
from ..io.places import cache_folder
from ..methods.contract import card_of
from ..methods.factory import make, refuse_wrong_options
from ..methods.named import NamedFactory, factory_of
from ..plugins import REFINERS, installed
from ..results.header import ArgumentsRecord, MethodRecord
from ..results.jsonrecord import from_json
from ..results.origin import origin_of
from .header import HowMade


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeMethod:
    """A method that is ready to run.

    Attributes:
        method: see `risbench.methods.contract.Method`.
        name: what its runs are called, such as the name of the entry point.
        source: what made it, if it was made by its name.
        arguments: what it was made with, as plain values for the header.
        options: the same as values; those that name files count with their content.
        device: where it runs.
    """

    method: Any
    name: str
    source: NamedFactory | None = None
    arguments: ArgumentsRecord
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    def how(self, refine: str | None) -> HowMade:
        """What the header says of it, with a refiner or without."""
        point = None if self.source is None else self.source.point
        refiner = None if refine is None else installed(REFINERS).get(refine)
        origin = origin_of(self.method, entry_point=point, refiner=refiner, options=self.options)
        part = {"device": self.device, "method_commit": origin["method"]["commit"]}
        return HowMade(
            method=MethodRecord(
                name=self.name,
                entry_point=None if self.source is None else self.source.place,
                card=dict(card_of(self.method)),
            ),
            arguments=self.arguments,
            origin=origin,
            part=part if refiner is None else {**part, "refiner": refiner.value},
        )


def made_by_name(
    name: str,
    split: Split,
    *,
    weights: str | None,
    device: str,
    options: Mapping[str, str] | None,
    rules: str | None = None,
) -> MadeMethod:
    """A method made by its name for a split.

    Args:
        name: of an entry point, or a file; see `risbench.methods.named`.
        split: the whole split.
        weights: a file or a name that the method knows.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        options: as text.
        rules: the name of the rules that will score.

    Raises:
        RisbenchError: what `risbench.methods.factory.make` refuses.
    """
    given = options or {}
    method, values = make(
        name, weights=weights, device=device, split=split.name, data_root=split.data_root, rules=rules, options=options
    )
    record = {
        "given": {key: _plain(values[key]) for key in given},
        "defaulted": {key: _plain(value) for key, value in values.items() if key not in given},
        "weights": weights,
    }
    source = factory_of(name)
    return MadeMethod(
        method=method,
        name=source.title,
        source=source,
        arguments=from_json(ArgumentsRecord, record),
        options={**values, "weights": weights},
        device=device,
    )


def made_of_object(
    method: Any, name: str | None, *, weights: str | None, device: str, options: Mapping[str, str] | None
) -> MadeMethod:
    """A method that somebody made; its runs are called ``name``, or after its class.

    Args:
        method: the object.
        name: what its runs are called.
        weights: its content is recorded only, if it is a file.
        device: is recorded only.
        options: are recorded only.
    """
    record = {"given": dict(options or {}), "defaulted": {}}
    return MadeMethod(
        method=method,
        name=name or type(method).__name__,
        arguments=from_json(ArgumentsRecord, record),
        options={"weights": weights},
        device=device,
    )


def make_before_drawing(method: str, split: str, data_root: str | Path | None = None, **arguments: Any) -> None:
    """Make a method and let it go, where scenes must be drawn first: mistyped weights do not cost these minutes.

    Where nothing is drawn, the method's code is imported and its options are checked, before the split is loaded.

    Raises:
        RisbenchError: what `make` refuses, or no such split.
    """
    entry = find(split, data_root)
    if is_to_be_drawn(entry):
        make(method, split=entry.name, data_root=cache_folder(), **arguments)
    else:
        refuse_wrong_options(method, **arguments)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
