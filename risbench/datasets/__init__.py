"""Data sets: the splits, their readers, and the drawn scenes, which are always available."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .load import load_split as load_split
    from .split import Object as Object
    from .split import Split as Split

_WHERE = {"load_split": "load", "Object": "split", "Split": "split"}

__all__ = ["Object", "Split", "load_split"]


def __getattr__(name: str) -> Any:
    """Import a public name at first use, so that importing the package is fast."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
