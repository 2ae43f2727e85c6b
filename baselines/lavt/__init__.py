"""LAVT: language-aware Swin transformer and decoder, its files, its loss, its training, and the method.

The public names are ``make`` (the method's factory), ``load`` (a network from a file) and ``loss``. The last two need
torch and are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .method import make

if TYPE_CHECKING:
    from .losses import loss
    from .weights_file import load

__all__ = ["load", "loss", "make"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from .weights_file import load

        return load
    if name == "loss":
        from .losses import loss

        return loss
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
