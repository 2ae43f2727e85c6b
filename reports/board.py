"""The leaderboard as Markdown and as an HTML page that opens from disk, and the folder of committed entries."""

from __future__ import annotations

import html as escaping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench.datasets.catalog import is_drawn
from risbench.leaderboard.board import Rank, Ranking
from risbench.leaderboard.entry import entry_warnings
from risbench.metrics.rules.protocols import text_of
from risbench.plain import counted, plain
from risbench.statistics.interval_text import interval_note, interval_text

from .supervision import of_card
from .tables.escapes import escaped

_DASH = "–"
_HEADS = ("#", "Method", "Learnt from")
_TAIL = ("Hardware", "Date", "Commit")
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #8884; }
th { border-bottom-width: 2px; font-weight: 600; }
th.text, td.text { text-align: left; }
td.text { overflow-wrap: anywhere; min-width: 6rem; }
small { opacity: .75; display: block; white-space: nowrap; }
tr.aside td { font-style: italic; }
th button { font: inherit; text-align: inherit; color: inherit; background: none; border: 0; padding: 0; }
th button { cursor: pointer; }
th button:hover { text-decoration: underline; }
th[aria-sort="descending"] button::after { content: " ▾"; }
th[aria-sort="ascending"] button::after { content: " ▴"; }
p.note { font-size: .87em; margin: .35rem 0; max-width: 60rem; }
""".strip()
# A click on a head sorts its table: numbers from the largest, then from the smallest; texts from A. What is absent
# stays last, and equal rows keep their order.
_SCRIPT = """
document.querySelectorAll("table").forEach((table) => {
  const body = table.tBodies[0];
  const rank = (row, at) => {
    const text = row.cells[at].querySelector("bdi").textContent.trim();
    if (text === "–" || !text) return null;
    return row.cells[at].classList.contains("text") ? text.toLowerCase() : Number.parseFloat(text);
  };
  const before = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const upwards = at === 0 || head.classList.contains("text");
      const now = head.getAttribute("aria-sort");
      const order = now ? (now === "ascending" ? "descending" : "ascending") : (upwards ? "ascending" : "descending");
      const sign = order === "ascending" ? 1 : -1;
      [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const rows = [...body.rows].map((row) => [rank(row, at), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * before(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
});
""".strip()


def folder() -> Path:
    """The folder of the committed entries, beside this file in a checkout and in the wheel."""
    return Path(__file__).parent / "leaderboard"


def markdown(rankings: Sequence[Ranking], *, intervals: str | None = None) -> str:
    """All rankings as Markdown, one section for each; see `html`."""
    lines = ["# Leaderboard"]
    for ranking in rankings:
        heads = [*_HEADS, *ranking.metrics, *_TAIL]
        lines += ["", f"## {escaped(title_of(ranking))}", ""]
        lines += ["| " + " | ".join(heads) + " |", "|--:|:--|:--" + "|--:" * len(ranking.metrics) + "|:--" * 3 + "|"]
        for place in ranking.places:
            cells = [_cell(place, name, intervals) for name in ranking.metrics]
            figures = [f"{escaped(main)}{f' <sub>{escaped(side)}</sub>' if side else ''}" for main, side in cells]
            lines.append(
                "| " + " | ".join([*(escaped(text) for text in _about(place)), *figures, *_made(place)]) + " |"
            )
        lines += ["", *(f"{escaped(note)}  " for note in ranking_notes(ranking, intervals))]
    return "\n".join(lines).rstrip()


def html(rankings: Sequence[Ranking], *, intervals: str | None = None) -> str:
    """All rankings as one self-contained page.

    Args:
        rankings: one for each split and set of rules.
        intervals: the form of the intervals; see `risbench.statistics.interval_text`. By default their ends.
    """
    parts = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8">', "<title>risbench leaderboard</title>"]
    parts += [
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
    ]
    parts.append("<h1>Leaderboard</h1>")
    for ranking in rankings:
        parts += [f"<h2>{_safe(title_of(ranking))}</h2>", '<div class="wide"><table><thead><tr>']
        parts += [_tag("th", head, head in _HEADS[1:] + _TAIL) for head in (*_HEADS, *ranking.metrics, *_TAIL)]
        parts.append("</tr></thead><tbody>")
        for place in ranking.places:
            parts.append("<tr>" if place.rank is not None else '<tr class="aside">')
            parts += [_tag("td", text, number > 0) for number, text in enumerate(_about(place))]
            for name in ranking.metrics:
                main, side = _cell(place, name, intervals)
                parts.append(f"<td>{_safe(main)}{f'<small>{_safe(side)}</small>' if side else ''}</td>")
            parts += [_tag("td", text, True) for text in _made(place, whole=True)]
            parts.append("</tr>")
        parts.append("</tbody></table></div>")
        parts += [f'<p class="note">{_safe(note)}</p>' for note in ranking_notes(ranking, intervals)]
    return "\n".join([*parts, f"<script>{_SCRIPT}</script>", "</body></html>"])


def title_of(ranking: Ranking) -> str:
    """The split and the rules."""
    return ranking.split if ranking.rules is None else f"{ranking.split}, rules {ranking.rules['name']}"


def ranking_notes(ranking: Ranking, intervals: str | None = None) -> list[str]:
    """The notes that a reader of a ranking needs."""
    notes = ["In percent; nothing was measured here yet."]
    if ranking.rules is not None:
        notes = [f"In percent, with 95 % intervals over images; ranked by {ranking.metrics[0]}."]
        if intervals is not None:
            notes.append(f"{interval_note(intervals)}.")
        counts = ranking.counts
        notes.append(f"{counted(counts['expressions'], 'expression')} about {counted(counts['images'], 'image')}.")
        notes.append(f"Rules {ranking.rules['name']}: {text_of(ranking.rules)}.")
    if is_drawn(ranking.split):
        notes.append("Drawn scenes, made by risbench; not comparable with photographs.")
    reads = {place.method: _reads(place) for place in ranking.places if _reads(place)}
    for method, what in reads.items():
        notes.append(f"{method} looks at more than image and text ({what}) and is not ranked.")
    for place in ranking.places:
        marks = [] if place.entry is None else entry_warnings(place.entry)
        notes += [f"CAUTION: {place.method}: {mark}." for mark in marks]
    if any(place.reported for place in ranking.places):
        notes.append(
            "† reported in a paper, not run here; the protocol may be another. ‡ derived from printed figures."
        )
        sources = dict.fromkeys(
            f"{figure.method}: {figure.citation}"
            for place in ranking.places
            for metric, figure in place.reported.items()
            if metric in ranking.metrics
        )
        notes += [f"{source}." for source in sources]
    return notes


def _about(place: Rank) -> tuple[str, str, str]:
    if place.entry is not None:
        found = of_card(place.entry["measured"]["card"])
        words = " + ".join(part for part in (found.group, found.extra) if part)
    else:
        words = next(iter(place.reported.values())).supervision
    rank = _DASH if place.rank is None else str(place.rank)
    return rank, plain(place.method, 80), words or _DASH


def _cell(place: Rank, metric: str, intervals: str | None = None) -> tuple[str, str]:
    """The measured figure; and, in small print, its interval and the published figure."""
    number, figure = place.values.get(metric), place.reported.get(metric)
    reported = ""
    if figure is not None:
        reported = f"{100 * figure.value:.1f}{'‡' if figure.confidence == 'derived' else '†'}"
    if number is None or number["value"] is None:
        return reported or _DASH, ""
    bounds = "" if number["low"] is None else f"{100 * number['low']:.1f} to {100 * number['high']:.1f}"
    if intervals is not None:
        bounds = interval_text(number["value"], number["low"], number["high"], intervals)
    return f"{100 * number['value']:.1f}", ", ".join(part for part in (bounds, reported) if part)


def _made(place: Rank, whole: bool = False) -> tuple[str, str, str]:
    if place.entry is None:
        return _DASH, _DASH, _DASH
    measured: dict[str, Any] = place.entry["measured"]
    machine = measured["hardware"]
    hardware = machine["gpu"] if machine["gpu"] and measured["device"] != "cpu" else machine["processor"]
    commit = measured["commit"]
    words = f"{hardware}, {machine['cores']} cores", measured["date"], _DASH if commit is None else commit[:10]
    return words if whole else (escaped(words[0]), escaped(words[1]), escaped(words[2]))


def _reads(place: Rank) -> str:
    reads = place.entry["measured"]["card"].get("reads") if place.entry is not None else None
    return reads if isinstance(reads, str) else ", ".join(map(str, reads or ()))


def _safe(text: str) -> str:
    # Isolated, so that a name written from right to left does not reorder its neighbours.
    return f"<bdi>{escaping.escape(plain(text))}</bdi>"


def _tag(tag: str, text: str, is_text: bool) -> str:
    return f'<{tag} class="text">{_safe(text)}</{tag}>' if is_text else f"<{tag}>{_safe(text)}</{tag}>"
