"""Describe a method or a recipe by its name: the card, the options with their defaults, the recipe's values."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
import typing
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ... import plugins
from ...errors import RisbenchError, UsageError
from ...io import reading
from ...methods.contract import card_of
from ...methods.factory import make, options_in, parameters_of
from ...methods.named import factory_of

_ARGUMENT = re.compile(r"^ {4}(\w+)(?: \([^)]*\))?: (.+(?:\n {6,}.+)*)", re.MULTILINE)


def method_entry(name: str) -> dict[str, Any]:
    """A method's card and options. If the factory does not show the card, the method is made with its defaults.

    Raises:
        UsageError: the name means no method.
        RisbenchError: its code cannot be imported.
    """
    source = factory_of(name)
    card = card_shown(source.make)
    if card is None:
        try:
            with redirect_stdout(sys.stderr):
                card = card_of(make(name)[0]) or None
        except Exception:  # somebody's code: without its weights, say, there is no card to show
            card = None
    texts = dict(_ARGUMENT.findall(inspect.getdoc(source.make) or ""))
    options = [
        {
            "name": key,
            "kind": _kind(item.annotation),
            "default": None if item.default is item.empty else _plain(item.default),
            "required": item.default is item.empty,
            "text": " ".join(texts.get(key, "").split()),
        }
        for key, item in options_in(parameters_of(source)).items()
    ]
    return {"name": source.title, "card": card, "entry_point": source.place, "options": options}


def card_shown(factory: Any) -> dict[str, Any] | None:
    """A method's card without making the method: the factory's, or that of the class in its return annotation."""
    try:
        if not hasattr(factory, "card"):
            factory = typing.get_type_hints(factory).get("return")
        return card_of(factory) or None
    except Exception:  # annotations may be any expression, and a property of the class is no card
        return None


def option_lines(entry: dict[str, Any]) -> list[str]:
    """The options of a method as lines of text."""
    if not entry["options"]:
        return ["  options        none"]
    lines = ["  options        (--set KEY=VALUE)"]
    for one in entry["options"]:
        default = "required" if one["required"] else f"default {one['default']}"
        kind = f"{one['kind']}, " if one["kind"] else ""
        lines.append(f"    {one['name']:12} {kind}{default}" + (f": {one['text']}" if one["text"] else ""))
    return lines


def trainers() -> dict[str, tuple[str, ...]]:
    """The recipes of each trainer."""
    return {name: _recipes_of(name) for name in plugins.installed(plugins.TRAINERS)}


def recipes_named(name: str) -> list[tuple[str, str]]:
    """The pairs of trainer and recipe that a name means: TRAINER, TRAINER/RECIPE, or a recipe of any trainer.

    Raises:
        UsageError: it means none; the message has the nearest names.
    """
    trainer, slash, recipe = name.partition("/")
    if trainer in plugins.installed(plugins.TRAINERS):  # the others, which are slow to import, are not needed
        items = _recipes_of(trainer)
        if slash and recipe not in items:
            raise UsageError(f"the trainer '{trainer}' has no recipe '{recipe}': {plugins.near(recipe, items)}")
        return [(trainer, item) for item in items if not slash or item == recipe]
    known = trainers()
    found = [(one, item) for one, items in known.items() for item in items if item == name]
    if not found:
        names = dict.fromkeys((*known, *(item for items in known.values() for item in items)))
        raise UsageError(f"no trainer or recipe named '{name}': {plugins.near(name, names)}")
    return found


def _recipes_of(trainer: str) -> tuple[str, ...]:
    return tuple(getattr(plugins.load(plugins.TRAINERS, trainer), "recipes", ()))


def recipe_entry(trainer: str, recipe: str) -> dict[str, Any]:
    """A recipe's comment and values; of a trainer without the attribute ``recipe_folder`` only the name."""
    folder = getattr(plugins.load(plugins.TRAINERS, trainer), "recipe_folder", None)
    entry: dict[str, Any] = {"name": recipe, "trainer": trainer, "notes": [], "values": None}
    if folder is None:
        return entry
    file = Path(folder) / f"{recipe}.toml"
    try:
        text = reading.read_bytes(file, reading.CARD_BYTES, "a recipe").decode()
        entry["values"] = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RisbenchError(f"{file} is not a recipe: {error}") from None
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        entry["notes"].append(line.lstrip("# ").rstrip())
    return entry


def value_lines(values: Any, place: str = "") -> list[str]:
    """The values of a recipe, one a line, each with the key that `--set` takes."""
    lines: list[str] = []
    for key, value in values.items():
        whole = f"{place}{key}"
        lines += value_lines(value, f"{whole}.") if isinstance(value, dict) else [f"    {whole} = {_plain(value)}"]
    return lines


def _kind(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(map(str, typing.get_args(annotation)))
    parts = typing.get_args(annotation)
    if parts:
        return " or ".join("none" if part is type(None) else _kind(part) for part in parts)
    return getattr(annotation, "__name__", str(annotation))


def _plain(value: Any) -> Any:
    """A value as ``--set`` takes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(_plain(item)) for item in value)
    return value if isinstance(value, (str, int, float)) else str(value)
