"""``risbench leaderboard``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ... import plugins
from ...datasets import catalog
from ...leaderboard.board import Rank, Ranking, entries_in, rankings_of
from ...leaderboard.entry import entry_warnings
from ...metrics.metric_names import parse_all
from ...metrics.rules.protocols import text_of
from ...plain import plain
from ...results.jsonlines import replace
from ...statistics.interval_text import interval_note
from ...statistics.summary import with_interval
from .. import options, show

_METRICS = "mIoU,oIoU,P@0.5,PointM,Accbox"


@click.command("leaderboard")
@click.option("--split", help="Only this split [default: all that have entries].")
@click.option(
    "--as",
    "kind",
    default="terminal",
    show_default=True,
    type=click.Choice(["terminal", "markdown", "html", "json"]),
    help="How to show it.",
)
@click.option("--metrics", default=_METRICS, show_default=True, help="The columns; the first one ranks.")
@options.intervals
@options.board
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
def command(
    split: str | None, kind: str, metrics: str, intervals: str | None, board: Path | None, out: Path | None
) -> None:
    """Rank the submitted runs, with published figures beside them."""
    name = None if split is None else catalog.find(split).name
    entries = entries_in(board if board is not None else options.own_board(), name)
    rankings = rankings_of(entries, parse_all(metrics), name)
    if not rankings:
        show.say("no entries" if name is None else f"no entries on {name}")
    if kind == "terminal" and out is None:
        for ranking in rankings:
            _print(ranking, intervals)
        return
    form = "markdown" if kind == "terminal" else kind  # a file is not a terminal
    text = (
        json.dumps([_marked(entry) for entry in entries], indent=2, ensure_ascii=False)
        if kind == "json"
        else plugins.load(plugins.BOARDS, form)(rankings, **({} if intervals is None else {"intervals": intervals}))
    )
    if out is None:
        show.print_data(text, form)
    else:
        replace(out, text + "\n")
        show.say(f"written: {out}")


def _marked(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with its warnings, if it has any."""
    return {**entry, "marks": marks} if (marks := entry_warnings(entry)) else entry


def _print(ranking: Ranking, intervals: str | None) -> None:
    title = ranking.split if ranking.rules is None else f"{ranking.split}, rules {ranking.rules['name']}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("method", overflow="fold")
    for name in ranking.metrics:
        table.add_column(name, justify="right")
    table.add_column("commit")
    for place in ranking.places:
        commit = None if place.entry is None else place.entry["measured"]["commit"]
        cells = [_cell(place, name, intervals) for name in ranking.metrics]
        rank = "" if place.rank is None else str(place.rank)
        table.add_row(rank, escape(plain(place.method, 100)), *cells, "" if commit is None else commit[:10])
    show.print_table(table, keys=2)
    notes = [f"in percent, with 95 % intervals; ranked by {ranking.metrics[0]}"]
    if intervals is not None:
        notes.append(interval_note(intervals))
    if ranking.rules is not None:
        notes.append(f"rules {ranking.rules['name']}: {text_of(ranking.rules)}")
    for place in ranking.places:
        marks = [] if place.entry is None else entry_warnings(place.entry)
        notes += [f"warning: {plain(place.method, 100)}: {plain(mark)}" for mark in marks]
    if any(place.rank is None and place.entry is not None for place in ranking.places):
        notes.append("without a rank: the method uses more than image and text, or the run is a control")
    if any(place.reported for place in ranking.places):
        notes.append("† reported in a paper, not run here; ‡ derived from published figures; protocols may differ")
    if catalog.is_drawn(ranking.split):
        notes.append("drawn scenes; not comparable with photographs")
    for note in notes:
        show.print_line(note)


def _cell(place: Rank, metric: str, intervals: str | None) -> str:
    number, figure = place.values.get(metric), place.reported.get(metric)
    parts = []
    if number is not None and number["value"] is not None:
        parts.append(with_interval(number, intervals))
    if figure is not None:
        parts.append(f"{100 * figure.value:.1f}{'‡' if figure.confidence == 'derived' else '†'}")
    return " ".join(parts) or "–"
