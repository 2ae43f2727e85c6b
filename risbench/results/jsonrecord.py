"""Frozen dataclasses for JSON objects: read one, write one, and derive its check.

A field has the name of its key, and fields are in the order in which keys are written. A field with a default may be
absent from a file. Other keys in a file, of a later version or of its user, are kept in ``source`` and written again in
their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import lru_cache, partial
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from . import kinds

Made = TypeVar("Made")
SOURCE = "source"  # the field that holds the JSON object itself
_SCALARS = {str: kinds.TEXT, int: kinds.WHOLE, float: kinds.NUMBER, bool: kinds.YES}


def from_json(kind: type[Made], record: Mapping[str, Any]) -> Made:
    """Make a dataclass from a JSON object that was checked with `kinds_of`.

    Args:
        kind: the dataclass.
        record: the object; keys that the dataclass does not have stay in its ``source``.
    """
    values: dict[str, Any] = {SOURCE: record}
    for name, read in _readers(kind):
        if name in record:
            value = record[name]
            values[name] = value if read is None or value is None else read(value)
    return kind(**values)


def to_json(value: Any) -> Any:
    """Make the JSON object of a dataclass, with its current values.

    Keys that were read keep their order, and new ones follow; the keys of a new object are in the order of the fields.
    """
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if not is_dataclass(value):
        return value
    own = {field.name: field for field in fields(value) if field.name != SOURCE}
    source: Mapping[str, Any] | None = getattr(value, SOURCE)
    if source is None:
        return {name: to_json(getattr(value, name)) for name in own}
    found = {key: to_json(getattr(value, key)) if key in own else source[key] for key in source}
    added = {name: getattr(value, name) for name, field in own.items() if name not in source}
    return found | {name: to_json(now) for name, now in added.items() if now != _default(own[name])}


def kinds_of(kind: type) -> dict[str, Any]:
    """The description (see `risbench.results.kinds`) of a dataclass's JSON object."""
    optional = {field.name for field in fields(kind) if _default(field) is not MISSING}
    found = {name: _kind(hint) for name, hint in _hints(kind).items()}
    return {name: kinds.Maybe(wanted) if name in optional else wanted for name, wanted in found.items()}


@lru_cache(maxsize=64)
def _hints(kind: type) -> Mapping[str, Any]:
    return MappingProxyType({name: hint for name, hint in get_type_hints(kind).items() if name != SOURCE})


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


@lru_cache(maxsize=64)
def _readers(kind: type) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """The function that converts a non-null JSON value for each field; None for values that are used unchanged."""
    return tuple((name, _reader(hint)) for name, hint in _hints(kind).items())


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    hint = _without_none(hint)
    if is_dataclass(hint):
        return partial(from_json, cast("type", hint))
    if get_origin(hint) is tuple:
        read = _reader(get_args(hint)[0])
        return tuple if read is None else lambda items: tuple(read(item) for item in items)
    return None


def _without_none(hint: Any) -> Any:
    """A type without the alternative None."""
    if get_origin(hint) is UnionType:
        return next(inner for inner in get_args(hint) if inner is not NoneType)
    return hint


def _kind(hint: Any) -> Any:
    if get_origin(hint) is UnionType:
        inner = _kind(_without_none(hint))
        return inner + kinds.NONE if isinstance(inner, tuple) else kinds.Nullable(inner)
    if is_dataclass(hint):
        return kinds_of(cast("type", hint))
    if get_origin(hint) is tuple:
        inner, *more = get_args(hint)
        return [_kind(inner)] if more == [...] else kinds.LIST
    return _SCALARS.get(hint, kinds.ANY)
