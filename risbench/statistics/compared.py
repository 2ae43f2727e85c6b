"""A comparison in words: the names of its runs, its numbers as printed, and the notes that must stand below it."""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics.rules.protocols import text_of
from ..plain import plain
from ..results.rows import answer_notes, truth_notes
from .comparable import truth_note
from .compare import Comparison, Contrast
from .interval_text import interval_note, interval_text

HEADS = ("first %", "second %", "difference", "95 % interval", "p (Holm)")
_DASH = "–"


def run_names(found: Comparison) -> list[str]:
    """The methods' names; if two are equal, the run folders' names are added."""
    methods = [
        plain(run.summary["method"])
        + ("" if run.summary["texts"] == "given" else f" (texts {run.summary['texts']})")
        + (f" + {run.about.refine}" if run.about.refine else "")
        for run in found.runs
    ]
    return [
        name if methods.count(name) == 1 else f"{name} [{run.path.name}]"
        for name, run in zip(methods, found.runs, strict=True)
    ]


def pair_of(test: Contrast, names: Sequence[str]) -> str:
    """The two runs of a difference, in words."""
    return f"{names[test.first]} minus {names[test.second]}"


def printed(test: Contrast, form: str | None = None) -> list[str]:
    """The numbers of a test under `HEADS`, in percent and in points of percent.

    Args:
        test: the test.
        form: prints the intervals of the two scores too; see `risbench.statistics.interval_text`.
    """
    values = [_value(value, *both, form) for value, both in zip(test.values, test.bounds, strict=True)]
    if test.difference is None:
        return [*values, _DASH, "", ""]
    if test.corrected is None:
        return [*values, points(test.difference.value), _DASH, "untested"]
    value, low, high, _ = test.difference
    mark = " *" if test.differs else ""
    interval = _DASH if low is None or high is None else f"{points(low)} to {points(high)}"
    p = "<0.001" if test.corrected < 0.001 else f"{test.corrected:.3f}"
    return [*values, f"{points(value)}{mark}", interval, p]


def points(fraction: float) -> str:
    """A difference in percentage points with its sign; zero has no sign."""
    text = f"{100 * fraction:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def notes_below(found: Comparison, form: str | None = None) -> list[str]:
    """The notes that a reader of a comparison needs, without their full stops."""
    first = found.runs[0]
    rules = first.summary["rules"]
    notes = [*found.changed, f"rules {rules['name']}: {text_of(rules)}"]
    if (truth := truth_note(first.about.truth, first.about.is_part)) is not None:
        notes.append(truth)
    notes += truth_notes(found.truth_counts, rules["name"])
    if first.summary["partial"]:
        notes.append("partial: not the whole split")
    for name, run in zip(run_names(found), found.runs, strict=True):
        notes += [f"warning: {name}: {caution}" for caution in (*answer_notes(run.summary), *run.cautions())]
    if form is not None:
        notes.append(interval_note(form))
    notes.append("each interval is of one difference alone; p is corrected by Holm over all pairs and metrics")
    if found.slices:
        notes.append("by kind of expression, p is corrected by Holm over all pairs and kinds together")
    notes.append("* differs at 5 % after correction; variance between seeds is not included")
    return notes


def _value(value: float | None, low: float | None, high: float | None, form: str | None) -> str:
    if value is None:
        return _DASH
    interval = "" if form is None else interval_text(value, low, high, form, digits=2)
    return f"{100 * value:.2f} {interval}".strip()
