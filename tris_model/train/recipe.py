"""Recipes: TOML files with one table per part of the training, read into frozen records that define every key."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from risbench.errors import DataError, UsageError
from risbench.io import reading
from risbench.plugins import near

from .loop.renamed import current

# Our tables with their records, imported only when a recipe has them, because they import this module.
_RECORDS = MappingProxyType(
    {
        "clip": ("..tiny_clip.train", "ClipRecipe"),
        "stage1": (".stage1", "Stage1Recipe"),
        "pseudo": (".pseudo", "PseudoRecipe"),
        "stage2": (".stage2", "Stage2Recipe"),
    }
)
TABLES = tuple(_RECORDS)
# Tables of this project's other trainers: one file may hold the recipes of several.
OTHERS = ("clip_vit", "groupvit", "lavt", "wwbl", "amr", "gbs", "mg", "cts_style")
TABLE_KEYS = tuple(f"{table}." for table in TABLES)
FOLDER = Path(__file__).parent.parent / "recipes"
R = TypeVar("R")


def names(table: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of the shipped recipes that have a table, such as ``clip`` or ``stage1``."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml") if table in _parse(path)))


def read(name_or_path: str, folder: Path = FOLDER, more: Sequence[str] = ()) -> dict[str, Any]:
    """Read the tables of a shipped recipe, or of a file.

    Args:
        name_or_path: the recipe's name or file.
        folder: the folder of shipped recipes.
        more: names of further allowed tables, besides this project's.

    Raises:
        UsageError: there is no such name or file, or no trainer knows a table or key; similar names are listed. All
            keys and values of our own tables are checked, also of tables that the caller does not use.
        DataError: the file is not TOML.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = folder / f"{name_or_path}.toml"
        if not path.is_file():
            known = [one.stem for one in folder.glob("*.toml")]
            raise UsageError(f"no recipe {str(name_or_path)!r}, and no such file: {near(str(name_or_path), known)}")
    tables = _parse(path)
    if more and not set(more) & set(tables):  # the caller says that its own table is missing
        return tables
    known = (*TABLES, *OTHERS, *more, "preset")
    for key, value in list(tables.items()):
        if key not in known:
            raise UsageError(f"{path}: a recipe has no table or key {key!r}: {near(key, known)}")
        kind, wanted = (str, "a name") if key == "preset" else (Mapping, f"a table, [{key}]")
        if not isinstance(value, kind):
            raise UsageError(f"{path}: {key} is {wanted}, not {value!r:.60}")
        if key in _RECORDS and isinstance(value, Mapping):
            module, name = _RECORDS[key]
            kind = getattr(import_module(module, __package__), name)
            tables[key] = current(kind, value, key)
            _values(kind, tables[key], key)
    return tables


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(reading.read_bytes(path, reading.CARD_BYTES, "a recipe").decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not a recipe: {error}") from None


def one(kind: type[R], recipe: str, table: str, options: Mapping[str, Any], folder: Path = FOLDER) -> R:
    """Read the record of a trainer that uses only one table.

    Args:
        kind: a frozen dataclass.
        recipe: a name in ``folder``, or a TOML file.
        table: the name of the table.
        options: changes, such as ``lr=…`` or ``second.steps=…``; a key may begin with the table's name.
        folder: the folder of the trainer's shipped recipes.

    Raises:
        UsageError: there is no such recipe or table, a key is unknown (similar keys are listed), or a value is of the
            wrong kind.
    """
    tables = read(recipe, folder, (table,))
    if table not in tables:
        raise UsageError(f"recipe {recipe} has no table [{table}]: {', '.join(names(table, folder))}")
    own = {key.removeprefix(f"{table}."): value for key, value in options.items()}
    below, above = current(kind, tables[table], table), current(kind, own, table)
    return record(kind, _laid(below, above), table)


def record(kind: type[R], table: Mapping[str, Any], what: str) -> R:
    """Make a frozen record from a table; nested tables become the records that the fields name.

    Raises:
        UsageError: a key is unknown (similar keys are listed), or a value is of the wrong kind.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"{what} is a table of the recipe, not {table!r:.60}")
    values = _values(kind, table, what)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what}: {error}") from None


def _values(kind: type, table: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The values of a table, converted for the fields of a record; required keys may be missing."""
    hints = typing.get_type_hints(kind, include_extras=True)
    known = [field.name for field in fields(kind)]
    values: dict[str, Any] = {}
    for key, value in current(kind, table, what).items():
        if key not in known:
            raise UsageError(f"{what} has no key {key!r}: {near(key, known)}")
        values[key] = _value(hints[key], value, f"{what}.{key}")
    return values


def _value(hint: Any, value: Any, what: str) -> Any:
    """A value converted to its field's type; texts (from ``--set``) are parsed."""
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise UsageError(f"{what} is a table of the recipe, not {value!r:.60}")
        return record(hint, value, what)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value in (None, "none"):
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is typing.Literal:
        if value not in typing.get_args(hint):
            raise UsageError(f"{what} is {value!r}: {near(str(value), map(str, typing.get_args(hint)))}")
        return value
    if typing.get_origin(hint) is tuple:
        inner, *rest = typing.get_args(hint)
        parts = value.split(",") if isinstance(value, str) else value
        wanted = None if rest == [...] else 1 + len(rest)
        if not isinstance(parts, (list, tuple)) or (wanted is not None and len(parts) != wanted):
            raise UsageError(f"{what} is a list of {wanted or 'some'} numbers, not {value!r:.60}")
        return tuple(_value(inner, part, what) for part in parts)
    if typing.get_origin(hint) is typing.Annotated:
        plain, within = typing.get_args(hint)
        number = _value(plain, value, what)
        if not within.holds(number):
            raise UsageError(f"{what} is {number}; give a number of {within}".replace("of above", "above"))
        return number
    try:
        if hint is bool and not isinstance(value, str) and value not in (0, 1):
            raise ValueError
        if hint is not bool and isinstance(value, bool):
            raise ValueError
        if hint is bool and isinstance(value, str):
            return {"true": True, "false": False}[value.lower()]
        if hint is int and isinstance(value, float):
            raise ValueError
        convert: Any = hint
        return value if isinstance(value, convert) and hint is not float else convert(value)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UsageError(f"{what} is {getattr(hint, '__name__', hint)}, not {value!r}") from None


def changed(tables: Mapping[str, Any], options: Mapping[str, Any], default: str) -> dict[str, Any]:
    """The tables with changes by options.

    Args:
        tables: the tables, from :func:`read`.
        options: keys ``table.key`` of any depth, where the table is one of :data:`TABLES`; other keys, such as
            ``rates.heads``, belong to the table ``default``.
        default: the table of keys that name no table.
    """
    full = {key if key.startswith(TABLE_KEYS) else f"{default}.{key}": value for key, value in options.items()}
    return _laid(tables, full)


def _laid(tables: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Tables with changes by options; the parts of a key are the path to the value."""
    new: dict[str, Any] = _copied(tables)
    for key, value in options.items():
        *path, last = key.split(".")
        place = new
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UsageError(f"{key}: {part} is a value, not a table of the recipe")
        place[last] = value
    return new


def _copied(value: Any) -> Any:
    return {key: _copied(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
