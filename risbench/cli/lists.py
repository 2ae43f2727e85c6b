"""``risbench list``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from .. import plugins
from ..datasets import catalog, own
from ..datasets.where import state_of
from ..errors import RisbenchError, UsageError
from ..metrics import metric_names
from ..metrics.rules.protocols import RULES
from . import options, show
from .guide import described


@click.command("list")
@click.argument("what", type=click.Choice(["methods", "splits", "metrics", "rules", "reports", "recipes", "refiners"]))
@click.argument("names", nargs=-1)
@options.data_root
@options.as_json
def command(what: str, names: tuple[str, ...], data_root: Path | None, as_json: bool) -> None:
    """List methods, splits, metrics, rules, reports, recipes or refiners. With NAMES, print all about these alone.

    The splits include your own, imported into the data root. Their state says whether their files are here: `here`,
    `partial` (annotations without images are enough for `score`) or `absent`; `data check` counts what is in them. A
    method may be a file, ./mine.py. Recipes are named by trainer, by TRAINER/RECIPE, or by their own name.
    """
    if what == "methods" and names:
        _print_methods([described.method_entry(name) for name in names], as_json)
        return
    if what == "recipes" and names:
        pairs = dict.fromkeys(pair for name in names for pair in described.recipes_named(name))
        _print_recipes([described.recipe_entry(*pair) for pair in pairs], as_json)
        return
    entries = _splits(data_root) if what == "splits" else _LISTS[what]()
    known = [entry["name"] for entry in entries]
    for name in names:
        if name not in known:
            raise UsageError(f"no {what.removesuffix('s')} named '{name}': {plugins.near(name, known)}")
    entries = [entry for entry in entries if not names or entry["name"] in names]
    if as_json:
        show.print_json(entries)
        return
    if names:
        for entry in entries:
            _print_whole(entry)
        return
    if not entries:
        show.say(f"no {what} are installed")
        return
    table = Table()
    rows = _by_trainer() if what == "recipes" else [_flat(entry) for entry in entries]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        cells = [row.get(column, "?") for row in rows]
        is_count = all(cell == "?" or cell.replace(",", "").isdecimal() for cell in cells)
        table.add_column(column, overflow="fold", no_wrap=column == "name", justify="right" if is_count else "left")
    for row in rows:
        table.add_row(*(escape(row.get(column, "")) for column in columns))
    show.print_table(table)
    if what == "methods":
        show.say("`risbench list methods NAME` prints a method's card and options")
    if what == "recipes":
        show.say("`risbench list recipes TRAINER/RECIPE` prints what it says and its values")


def _print_methods(entries: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.print_json(entries)
        return
    for entry in entries:
        _print_whole({key: value for key, value in entry.items() if key != "options"})
        for line in described.option_lines(entry):
            show.print_line(line)


def _print_recipes(entries: list[dict[str, Any]], as_json: bool) -> None:
    """Print recipes: one whole, several by the first line of their comment."""
    if as_json:
        show.print_json(entries)
        return
    for entry in entries:
        show.print_line(f"[bold]{escape(entry['trainer'])}/{escape(entry['name'])}[/]", markup=True)
        notes = entry["notes"] if len(entries) == 1 else entry["notes"][:1]
        for note in notes:
            show.print_line(f"  {note}")
        if len(entries) == 1 and entry["values"] is not None:
            show.print_line("  values         (--set KEY=VALUE changes one)")
            for line in described.value_lines(entry["values"]):
                show.print_line(line)


def _print_whole(entry: Mapping[str, Any]) -> None:
    """Print an entry line by line, with the lines of its card."""
    lines = {key: value for key, value in entry.items() if key != "card"} | (entry.get("card") or {})
    show.print_line(f"[bold]{escape(str(lines.pop('name')))}[/]", markup=True)
    for key, value in lines.items():
        if value not in (None, [], ""):
            content = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            show.print_line(f"  {key:14} {content}")


def _flat(entry: Mapping[str, Any]) -> dict[str, str]:
    """An entry as table cells. Of a card only a few keys are shown; `--json` has all of them."""
    if "card" in entry:
        card = entry["card"] or {}
        shown = {key: card.get(key) for key in ("grade", "supervision", "threshold", "licence")}
        cells = {key: "" if value is None else str(value) for key, value in shown.items()}
        return {"name": entry["name"], **cells, "reads": ", ".join(card.get("reads", ()))}
    row = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            row.update({inner: "?" if number is None else f"{number:,}" for inner, number in value.items()})
        else:
            row[key] = "" if value is None else str(value)
    return row


def _methods() -> list[dict[str, Any]]:
    return [
        {"name": name, "card": _card(name), "entry_point": point.value}
        for name, point in plugins.installed(plugins.METHODS).items()
    ]


def _card(name: str) -> dict[str, Any] | None:
    try:
        return described.card_shown(plugins.load(plugins.METHODS, name))
    except RisbenchError:
        return None


def _splits(data_root: Path | None) -> list[dict[str, Any]]:
    entries = [catalog.find(name, data_root) for name in (*catalog.names(), *own.names(data_root))]
    return [
        {
            "name": entry.name,
            "state": state_of(entry, data_root),
            "expected": entry.expected._asdict(),
            "from": entry.origin,
        }
        for entry in entries
    ]


def _metrics() -> list[dict[str, Any]]:
    return [{"name": name, "definition": text} for name, text in metric_names.definitions().items()]


def _rules() -> list[dict[str, Any]]:
    return [{"name": name, "text": text} for name, text in RULES.items()]


def _points(group: str) -> list[dict[str, Any]]:
    return [{"name": name, "entry_point": point.value} for name, point in plugins.installed(group).items()]


def _recipes() -> list[dict[str, Any]]:
    return [{"name": item, "trainer": name} for name, items in described.trainers().items() for item in items]


def _by_trainer() -> list[dict[str, str]]:
    return [{"trainer": name, "recipes": ", ".join(items)} for name, items in described.trainers().items()]


def _refiners() -> list[dict[str, Any]]:
    texts = {
        name: getattr(plugins.load(plugins.REFINERS, name), "text", None)
        for name in plugins.installed(plugins.REFINERS)
    }
    return [{**entry, "text": texts[entry["name"]]} for entry in _points(plugins.REFINERS)]


_LISTS = {
    "methods": _methods,
    "metrics": _metrics,
    "rules": _rules,
    "reports": lambda: _points(plugins.REPORTS),
    "recipes": _recipes,
    "refiners": _refiners,
}
