"""How many examples a property is tried on: fewer every day, many more in `make torture`."""

from __future__ import annotations

from typing import Any

import hypothesis

USUAL = 100  # hypothesis's own number


def examples(count: int, **more: Any) -> hypothesis.settings:
    """Settings of a property that needs more or fewer examples than others.

    Args:
        count: where others take `USUAL`; the profile in use takes a share or a multiple of both.
        **more: settings of hypothesis.
    """
    return hypothesis.settings(max_examples=max(1, count * hypothesis.settings().max_examples // USUAL), **more)
