"""Why a source is passed over."""

from __future__ import annotations


class SourceRefused(Exception):
    """This source will not do; the text says why, and the next one is tried."""


class Unreachable(SourceRefused):
    """The host gives no answer at all."""
