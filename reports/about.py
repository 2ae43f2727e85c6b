"""The notes of every picture and page about its runs, and the split that the runs have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, Run, Sample, Split, UsageError
from risbench.datasets.catalog import is_drawn
from risbench.masks import LazyMask
from risbench.metrics.metric_names import parse_all, refuse_generalised
from risbench.metrics.rules.protocols import text_of
from risbench.plain import counted
from risbench.results.columns.rowcolumns import RowColumns
from risbench.results.rows import Row, answer_notes, truth_notes
from risbench.results.scored import scored_split, split_record
from risbench.scorer import summary_of
from risbench.statistics.changes import change_texts
from risbench.statistics.comparable import truth_name, truth_note

from .supervision import OUT_OF_ITS_WORLD, out_of_its_world
from .tables.notes import without_prediction


def split_of_runs(runs: Sequence[Run], data_root: Path | None = None) -> Split:
    """The split of all runs, from ``data_root`` or where the first run found it.

    Raises:
        UsageError: the runs are of different splits, or of different copies of one split.
        DataError: the split there is another copy than the one that was scored.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.about.split != first.about.split:
            raise UsageError(
                f"{first.path} and {run.path} are of different splits or copies of one "
                f"({first.summary['split']}, {run.summary['split']}): one picture cannot hold both"
            )
        if run.about.truth != first.about.truth:
            raise UsageError(
                f"{first.path} and {run.path} were scored on different truths "
                f"({truth_name(first)}, {truth_name(run)}): one picture cannot hold both"
            )
    split = scored_split(first.about, first.path, data_root)
    if split_record(split) != first.about.split:
        raise DataError(
            f"{split.data_root} holds another copy of {split.name} than {first.path} was scored on: "
            "give --data-root DIR of that copy"
        )
    return split


def common_rows(runs: Sequence[Run]) -> tuple[list[dict[str, Row]], int]:
    """The rows of the expressions that every run has.

    Returns:
        Each run's rows by id, in the split's order, and the number of expressions that were left out.

    Raises:
        DataError: the runs have no expression in common.
    """
    found = [{row.id: row for row in run.rows()} for run in runs]
    common = set.intersection(*(set(rows) for rows in found))
    if not common:
        raise DataError("the runs have no expression in common")
    left_out = len(set.union(*(set(rows) for rows in found))) - len(common)
    return [{name: row for name, row in rows.items() if name in common} for rows in found], left_out


def common_columns(runs: Sequence[Run]) -> tuple[list[RowColumns], int]:
    """`common_rows` as columns, all in the order of the first run's rows.

    Raises:
        DataError: the runs have no expression in common.
    """
    found = [run.columns().once() for run in runs]
    first = found[0].ids
    places = [first.places_in(each.ids) for each in found]
    common = np.all([at >= 0 for at in places], axis=0)
    if not common.any():
        raise DataError("the runs have no expression in common")
    if common.all() and all(len(each) == len(first) for each in found):
        in_first_order = [
            each if each.ids.same(first) else each.take(at) for each, at in zip(found, places, strict=True)
        ]
        return [each.like(in_first_order[0]) for each in in_first_order], 0
    left_out = len(set().union(*(set(each.ids) for each in found))) - int(common.sum())
    return [each.take(at[common]) for each, at in zip(found, places, strict=True)], left_out


def titles_of(runs: Sequence[Run]) -> list[str]:
    """A short name for each run; if two would be the same, rules, folder or number are added."""
    plain = [_title(run) for run in runs]
    rules = [f"{title} ({run.summary['rules']['name']})" for title, run in zip(plain, runs, strict=True)]
    folders = [f"{title} ({run.path.name})" for title, run in zip(plain, runs, strict=True)]
    numbered = [f"{title} ({number})" for number, title in enumerate(plain, start=1)]
    titles = list(plain)
    for more in (rules, folders, numbered):
        doubled = {title for title, count in Counter(titles).items() if count > 1}
        titles = [longer if title in doubled else title for title, longer in zip(titles, more, strict=True)]
    return titles


def _title(run: Run) -> str:
    title = run.summary["method"]
    if run.summary["texts"] != "given":
        title += f" (texts {run.summary['texts']})"
    if refine := run.about.refine:
        title += f" + {refine}"
    # A method that reads more than image and text is always marked.
    return title + ("*" if run.about.method.card.get("reads") else "")


def numbers_of(run: Run, metrics: str | None = None) -> Mapping[str, dict[str, Any]]:
    """Value, interval and count of some metrics, by canonical name."""
    chosen, found = parse_all(metrics), run.summary["metrics"]
    refuse_generalised(metrics, run.summary.get("without_mask", 0), run.summary["split"])
    if any(metric.name not in found for metric in chosen):
        found = summary_of(run.columns(), chosen)
    return {metric.name: found[metric.name] for metric in chosen}


def notes_of(runs: Sequence[Run]) -> list[str]:
    """The notes that a reader needs below a picture or page."""
    first = runs[0]
    counts = first.about.split.counts
    most = max(run.summary["count"] for run in runs)
    whole = most if counts.expressions is None else counts.expressions
    what = counted(whole, "expression") + ("" if counts.images is None else f" about {counted(counts.images, 'image')}")
    if most < whole:
        what = f"{most} of its {what} {'was' if most == 1 else 'were'} run"
    notes = [f"Split {first.summary['split']}: {what}."]
    if is_drawn(first.summary["split"]):
        notes.append("Drawn scenes, made by risbench; not comparable with photographs.")
    for name, text in {run.summary["rules"]["name"]: text_of(run.summary["rules"]) for run in runs}.items():
        notes.append(f"Rules {name}: {text}.")
    if (truth := truth_note(first.about.truth, first.about.is_part)) is not None:
        notes.append(f"{truth}.")
    for run in runs:
        found = [f"{note}." for note in truth_notes(run.summary, run.summary["rules"]["name"])]
        notes += [note for note in found if note not in notes]
    partial = [run.summary["count"] if run.summary["partial"] else None for run in runs]
    for title, run in zip(titles_of(runs), runs, strict=True):
        notes += change_texts(run)
        if run.summary["partial"]:
            who = "every run" if len(set(partial)) == 1 else title
            count = counted(run.summary["count"], "expression")
            note = f"PARTIAL: {who} has {count}, not the literature's whole split."
            notes += [note] if note not in notes else []
        notes += [f"{title}: {note}." for note in answer_notes(run.summary)]
        if run.summary["missing"]:
            notes.append(f"{title}: {without_prediction(run)}.")
        if out_of_its_world(run.about.method.card, run.summary["split"]):
            notes.append(f"{title}: {OUT_OF_ITS_WORLD}")
        if reads := run.about.method.card.get("reads"):
            notes.append(f"{title}: looks at more than image and text: {', '.join(reads)}.")
        notes += [f"CAUTION: {title}: {caution}." for caution in run.cautions()]
    return notes


def left_out_note(count: int) -> str:
    """The note about expressions that are not shown because not every run has them."""
    return (
        counted(count, "expression that not every run has is", "expressions that not every run has are") + " left out."
    )


def area_of(sample: Sample) -> int:
    """Pixels in the union of a sample's parts."""
    return LazyMask.of_parts(sample.parts, sample.size).area
