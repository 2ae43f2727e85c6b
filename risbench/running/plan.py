"""The plan of a run, and the functions that are called during it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UsageError
from ..methods.texts import MODES
from ..metrics.rules.protocols import Rules
from ..plugins import REFINERS, refuse_absent
from .loop import Progress, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The part of a split that is run, and how.

    Attributes:
        rules: the rules as they were named, before a method's card gives them a threshold.
        threshold_given: whether the user chose a threshold beside the rules.
        texts: ``given``, or a control.
        refine: an installed refiner, or None.
        limit: only the first images; None for all.
        shard: ``(i, n)``: every n-th image from the i-th; None for all.
        settings: batch size, bad images, heats.
    """

    rules: Rules
    threshold_given: bool
    texts: str
    refine: str | None
    limit: int | None
    shard: tuple[int, int] | None
    settings: Settings


@dataclass(frozen=True, slots=True)
class Hooks:
    """The functions that are called during a run; see `evaluate`."""

    progress: Callable[[Progress], None] | None
    stop: Callable[[], bool] | None
    on_message: Callable[[str], object] | None


def refuse_wrong(texts: str, limit: int | None, batch: int | None, refine: str | None = None) -> None:
    """Refuse arguments that no run can have.

    Raises:
        UsageError: there is no such control or refiner, or nothing would be run.
    """
    if refine is not None:
        refuse_absent(REFINERS, refine)
    if texts not in MODES:
        raise UsageError(f"texts={texts}: must be one of {', '.join(MODES)}")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} images leaves nothing to run")
    if batch is not None and batch < 1:
        raise UsageError(f"a batch needs at least one image, not {batch}")
