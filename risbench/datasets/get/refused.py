"""Why a source is passed over."""

from __future__ import annotations


class Refused(Exception):
    """This source will not do; the text says why, and the next one is tried."""


class Unreachable(Refused):
    """The host gives no answer at all."""
