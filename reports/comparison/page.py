"""The comparison as one Markdown page: measured figures with intervals, tests against TRIS, and published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from risbench import Run
from risbench.leaderboard.published import Figure, figures
from risbench.metrics.rules.protocols import text_of
from risbench.plain import counted
from risbench.statistics.compare import Contrast, compare

from ..supervision import GROUPS, of_card
from ..tables.escapes import escaped
from .methods import METRICS1, METRICS2, TABLE1, TABLE2, TRIS, ComparedMethod
from .minutes import minutes_sentence

_DASH = "–"


def page_of(
    runs: Mapping[str, Run], trained: Mapping[str, Run], minutes: Mapping[str, float] = MappingProxyType({})
) -> str:
    """The whole page.

    Args:
        runs: by the folders of the methods, each of one split under the same rules.
        trained: runs of networks that were trained anew, by the same names; may be empty.
        minutes: that these trainings took, by trainer.
    """
    first = next(iter(runs.values()))
    summary = first.summary
    held = first.header["split"]["counts"]
    counts = f"{counted(held['expressions'], 'expression')} about {counted(held['images'], 'image')}"
    lines = [
        "# The paper's comparison, in miniature",
        "",
        f"{escaped(summary['split'])}, {counts}, rules {summary['rules']['name']}; in percent, with 95 % intervals "
        "over images. Drawn scenes, made by risbench: small networks, trained from nothing by the recipes `shapes`, "
        "each under its own supervision. What holds here says nothing about photographs. "
        f"Rules: {escaped(text_of(summary['rules']))}.",
        "",
        "## Table 1: masks",
        "",
        *_measured(TABLE1, METRICS1, runs),
        "",
        *_against(TABLE1, runs, TRIS, ("mIoU", "PointM")),
        "",
        "## Table 2: points and boxes",
        "",
        *_measured(TABLE2, METRICS2, runs),
        "",
        *_against(TABLE2, runs, TABLE2[0], METRICS2),
        "",
    ]
    if trained:
        lines += ["## Trained anew", "", *_anew(runs, trained), "", *filter(None, [minutes_sentence(minutes)]), ""]
    lines += [
        "## Published figures",
        "",
        "Read in the named sources, on photographs and with the authors' networks; not measured here, and not "
        "comparable with the tables above. A dash: no source that could be confirmed.",
        "",
        *_published(TABLE1, METRICS1, "Of Table 1"),
        "",
        *_published(TABLE2, METRICS2, "Of Table 2"),
        "",
        "![expressions, true masks and every method's answers](grid.png)",
        "",
        "Made by `make comparison` from these runs:",
        "",
        *_made({**runs, **{f"{name}, trained anew": run for name, run in trained.items()}}),
    ]
    return "\n".join(lines) + "\n"


def _measured(methods: Sequence[ComparedMethod], metrics: Sequence[str], runs: Mapping[str, Run]) -> list[str]:
    """A table, in groups of supervision."""
    lines = ["| Method | " + " | ".join(metrics) + " |", "|:--" + "|--:" * len(metrics) + "|"]
    groups: dict[str, list[ComparedMethod]] = {}
    for method in methods:
        groups.setdefault(of_card(runs[method.folder].header["method"]["card"]).group, []).append(method)
    for group, title in GROUPS.items():
        if group not in groups:
            continue
        lines.append(f"| *{title}* |" + " |" * len(metrics))
        for method in groups[group]:
            found = runs[method.folder].summary["metrics"]
            cells = [_cell(found.get(metric)) for metric in metrics]
            lines.append(f"| {escaped(method.title)} | " + " | ".join(cells) + " |")
    return lines


def _cell(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return _DASH
    bounds = "" if figure["low"] is None else f" <sub>{100 * figure['low']:.1f} to {100 * figure['high']:.1f}</sub>"
    return f"{100 * figure['value']:.1f}{bounds}"


def _against(
    methods: Sequence[ComparedMethod], runs: Mapping[str, Run], base: ComparedMethod, metrics: Sequence[str]
) -> list[str]:
    """Paired differences of a method and each other, corrected for all pairs of the table."""
    result = compare([runs[method.folder] for method in methods], metrics=",".join(metrics), slices=False)
    at = methods.index(base)
    lines = [
        f"{base.title} minus the other, paired over images; p after Holm's correction for all pairs of this table. "
        "Other trainings would give other differences: see [statistics](../../docs/statistics.md).",
        "",
        "| " + " | ".join(["Against", *(f"{metric} | p" for metric in metrics)]) + " |",
        "|:--" + "|--:" * (2 * len(metrics)) + "|",
    ]
    for place, method in enumerate(methods):
        if place != at:
            cells = [_difference(result.overall, at, place, metric) for metric in metrics]
            lines.append(f"| {escaped(method.title)} | " + " | ".join(cells) + " |")
    cautions = [f"{method.title}: {text}" for method in methods for text in runs[method.folder].cautions()]
    return [*lines, *(f"\nCAUTION: {escaped(text)}." for text in (*cautions, *result.changed))]


def _difference(tests: Sequence[Contrast], base: int, other: int, metric: str) -> str:
    pair = (min(base, other), max(base, other))
    test = next(one for one in tests if (one.first, one.second) == pair and one.metric == metric)
    found = test.difference
    if found is None or test.corrected is None:
        return f"{_DASH} | {_DASH}"
    sign = 1 if test.first == base else -1
    bounds = ""
    if found.low is not None and found.high is not None:
        low, high = sorted((sign * found.low, sign * found.high))
        bounds = f" <sub>{100 * low:+.1f} to {100 * high:+.1f}</sub>"
    p = "< 0.001" if test.corrected < 0.001 else f"{test.corrected:.3f}"
    return f"{100 * sign * found.value:+.1f}{bounds} | {p}"


def _anew(runs: Mapping[str, Run], trained: Mapping[str, Run]) -> list[str]:
    """Where the figures of new trainings leave the intervals of the shipped networks."""
    metrics = tuple(dict.fromkeys((*METRICS1, *METRICS2)))
    lines = [
        "The same recipes once more, by `make comparison TRAIN=1`; **bold** where a figure leaves the interval of the "
        "shipped network.",
        "",
        "| Method | " + " | ".join(metrics) + " |",
        "|:--" + "|--:" * len(metrics) + "|",
    ]
    for method in dict.fromkeys((*TABLE1, *TABLE2)):
        if method.folder in trained:
            both = (runs[method.folder].summary["metrics"], trained[method.folder].summary["metrics"])
            cells = [_moved(both[0].get(metric), both[1].get(metric)) for metric in metrics]
            lines.append(f"| {escaped(method.title)} | " + " | ".join(cells) + " |")
    return lines


def _moved(shipped: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if shipped is None or new is None or shipped["value"] is None or new["value"] is None or shipped["low"] is None:
        return _DASH
    inside = shipped["low"] <= new["value"] <= shipped["high"]
    return f"{100 * new['value']:.1f}" if inside else f"**{100 * new['value']:.1f}**"


def _published(methods: Sequence[ComparedMethod], metrics: Sequence[str], title: str) -> list[str]:
    """The published figures of the methods, a line for each source's method and split; and the sources."""
    lines = ["| " + " | ".join([title, "Split", *metrics]) + " |", "|:--|:--" + "|--:" * len(metrics) + "|"]
    sources: dict[str, int] = {}
    for method in methods:
        found = [one for one in figures() if one.method in method.published and one.metric in metrics]
        if not found:
            lines.append(f"| {escaped(method.title)} | {_DASH} |" + f" {_DASH} |" * len(metrics))
        by_row: dict[tuple[str, str], dict[str, Figure]] = {}
        for one in found:
            by_row.setdefault((one.method, one.split), {})[one.metric] = one
        for (name, split), values in by_row.items():
            cells = []
            for metric in metrics:
                if (one := values.get(metric)) is None:
                    cells.append(_DASH)
                    continue
                mark = sources.setdefault(one.citation, len(sources) + 1)
                cells.append(f"{100 * one.value:.1f}{'‡' if one.confidence == 'derived' else ''} <sup>{mark}</sup>")
            lines.append(f"| {escaped(name)} | {escaped(split)} | " + " | ".join(cells) + " |")
    return [*lines, "", *(f"{mark}. {escaped(source)}  " for source, mark in sources.items())] + (
        ["‡ derived from printed figures."] if any("‡" in line for line in lines) else []
    )


def _made(runs: Mapping[str, Run]) -> list[str]:
    lines = ["| Run | Commit | Date | Hardware |", "|:--|:--|:--|:--|"]
    for name, run in runs.items():
        part = run.header["provenance"][-1]
        machine, commit = part["machine"], part["commit"]
        cells = (
            name,
            _DASH if commit is None else str(commit)[:10],
            str(part["started"])[:10],
            f"{machine['processor']}, {machine['cores']} cores",
        )
        lines.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return lines
