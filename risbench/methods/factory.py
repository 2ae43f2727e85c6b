"""Makes a method from its name and the texts of its options."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import plugins
from ..errors import RisbenchError, UsageError
from ..faults import Watched
from .named import NamedFactory, factory_of

_OF_THE_COMMAND = frozenset({"weights", "device", "split", "data_root", "rules"})  # options of commands, not of --set


def make(
    name: str,
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    data_root: Path | None = None,
    rules: str | None = None,
    options: Mapping[str, str] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Make a method from its name.

    Args:
        name: of an entry point in ``risbench.methods``, or a file; see `risbench.methods.named`.
        weights: a file, or a name that the method knows.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split's name, passed to factories that have this parameter.
        data_root: the split's data root, passed to factories that have this parameter.
        rules: the name of the rules that will score, passed to factories that have this parameter: a method with a size
            of its own may answer under rules that count in this size without being resized twice.
        options: texts, converted by the factory's annotations.

    Returns:
        The method and the converted options, defaults included.

    Raises:
        UsageError: an unknown method or option, or a text that does not convert.
    """
    source = factory_of(name)
    arguments, chosen, defaults = _arguments(name, source, options or {}, weights, device, split, data_root, rules)
    with Watched(f"making method '{name}'", source.make, refusals_too=False):
        made = source.make(**arguments, **chosen)
    if not callable(getattr(made, "predict", None)):
        what = "None" if made is None else f"{type(made).__name__}, which has no predict"
        raise RisbenchError(f"method '{name}': its factory {source.place} returned {what}; it must return the method")
    return made, {**defaults, **chosen}


def refuse_wrong_options(
    name: str, *, weights: str | None = None, device: str = "cpu", options: Mapping[str, str] | None = None
) -> None:
    """Refuse what `make` would refuse of a method's options; the method's code is imported, but no method is made.

    Raises:
        RisbenchError: as `make`.
    """
    _arguments(name, factory_of(name), options or {}, weights, device, "", Path(), "")


def _arguments(
    name: str,
    source: NamedFactory,
    options: Mapping[str, str],
    weights: str | None,
    device: str,
    split: str | None,
    data_root: Path | None,
    rules: str | None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What a factory is called with: what the command gives, the options given, and the options' defaults."""
    accepted = parameters_of(source)
    open_ended = _is_open_ended(source.make, accepted)
    arguments: dict[str, Any] = {}
    given = {"weights": weights, "device": device, "split": split, "data_root": data_root, "rules": rules}
    for key, value in given.items():
        if key in accepted or (open_ended and key in ("weights", "device")):
            arguments[key] = value
        elif key == "weights" and value is not None:
            raise UsageError(f"method '{name}' takes no weights")
    named = options_in(accepted)
    chosen: dict[str, Any] = {}
    for key, text in options.items():
        if key in given:
            raise UsageError(f"--set {key}=…: give --{key.replace('_', '-')} instead")
        if key not in named and not open_ended:
            hint = plugins.near(key, named) if named else "it has no options"
            raise UsageError(f"method '{name}' has no option '{key}': {hint}")
        chosen[key] = converted(key, text, named[key].annotation) if key in named else text
    for key, item in accepted.items():
        needed = item.default is item.empty and item.kind in (item.KEYWORD_ONLY, item.POSITIONAL_OR_KEYWORD)
        if needed and key not in chosen and arguments.get(key) is None:
            step = f"--{key.replace('_', '-')}" if key in given else f"--set {key}=…"
            raise UsageError(f"method '{name}' needs {step}")
    defaults = {key: item.default for key, item in named.items() if item.default is not item.empty}
    return arguments, chosen, defaults


def options_in(accepted: Mapping[str, inspect.Parameter]) -> dict[str, inspect.Parameter]:
    """Those of a factory's parameters that ``--set`` gives."""
    return {
        key: item
        for key, item in accepted.items()
        if key not in _OF_THE_COMMAND and item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)
    }


def parameters_of(source: NamedFactory) -> Mapping[str, inspect.Parameter]:
    """The parameters of a factory, with their annotations as types.

    Raises:
        RisbenchError: it is no function or class, or its annotations cannot be read.
    """
    factory = source.make
    if not callable(factory):
        kind = type(factory).__name__
        raise RisbenchError(f"method '{source.title}': {source.place} is {kind}, not a function that makes the method")
    try:
        return inspect.signature(factory, eval_str=True).parameters
    except Exception as error:  # an annotation may be any expression
        raise RisbenchError(f"method '{source.title}': an annotation of its factory cannot be read: {error}") from error


def _is_open_ended(factory: Any, accepted: Mapping[str, inspect.Parameter]) -> bool:
    """Whether a factory takes any keyword. A class that inherits ``*args, **kwargs``, as networks do, does not."""
    kinds = {parameter.kind for parameter in accepted.values()}
    inherited = isinstance(factory, type) and inspect.Parameter.VAR_POSITIONAL in kinds
    return inspect.Parameter.VAR_KEYWORD in kinds and not inherited


def converted(key: str, text: str, annotation: Any) -> Any:
    """An option's text, converted to its annotation: bool, int, float, str, Path, Literal, or a union of these.

    Of a union, the first type that fits is taken.

    Raises:
        UsageError: the text cannot be converted.
    """
    origin = typing.get_origin(annotation)
    choices = [item for item in typing.get_args(annotation) if item is not type(None)]
    if origin in (typing.Union, types.UnionType):
        if text.lower() == "none" and len(choices) < len(typing.get_args(annotation)):
            return None
        for choice in choices[:-1]:
            try:
                return converted(key, text, choice)
            except UsageError:
                continue
        return converted(key, text, choices[-1])
    if origin is typing.Literal:
        for choice in choices:
            if str(choice) == text:
                return choice
        raise UsageError(f"--set {key}={text}: must be one of {', '.join(map(str, choices))}")
    if annotation is bool:
        if text.lower() in ("true", "1", "yes", "on"):
            return True
        if text.lower() in ("false", "0", "no", "off"):
            return False
        raise UsageError(f"--set {key}={text}: must be true or false")
    if annotation in (int, float, Path):
        try:
            return annotation(text)
        except ValueError:
            raise UsageError(f"--set {key}={text}: must be a number ({annotation.__name__})") from None
    return text
