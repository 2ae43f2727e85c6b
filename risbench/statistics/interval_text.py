"""Intervals as text, to stand behind their figure; without heavy imports, because many commands know the forms."""

from __future__ import annotations

from ..errors import UsageError

PLUS_MINUS, LOW_HIGH = "pm", "low-high"
INTERVAL_FORMS = (PLUS_MINUS, LOW_HIGH)


def interval_text(value: float, low: float | None, high: float | None, form: str, digits: int = 1) -> str:
    """An interval in percent, to be printed after its value; empty if there is none.

    Args:
        value, low, high: fractions.
        form: ``pm`` for ``± 2.2``, the larger distance from the value to an end, because most intervals are not
            symmetric; ``low-high`` for ``(10.1–14.5)``.
        digits: after the point.

    Raises:
        UsageError: there is no such form.
    """
    if form not in INTERVAL_FORMS:
        raise UsageError(f"intervals {form}: must be {' or '.join(INTERVAL_FORMS)}")
    if low is None or high is None:
        return ""
    if form == PLUS_MINUS:
        return f"± {100 * max(value - low, high - value):.{digits}f}"
    return f"({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def interval_note(form: str) -> str:
    """What an interval of this form means, without its full stop."""
    if form == PLUS_MINUS:
        return "After ±: the larger distance from a figure to an end of its 95 % interval over images"
    return "In brackets: 95 % intervals over images"
