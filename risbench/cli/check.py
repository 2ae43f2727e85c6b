"""``risbench check``."""

from __future__ import annotations

import sys

import click

from .. import plugins
from ..datasets.load import load_split
from ..devices import chosen
from ..methods.contract import make
from ..methods.contract_check import check_method
from ..plain import plain
from ..running.made import make_before_drawing
from . import options, show

_MARKS = {True: ("ok  ", "green"), False: ("FAIL", "bold red"), None: ("--  ", "dim")}


@click.command("check")
@click.argument("method")
@click.option("--split", default="shapes_val", show_default=True, help="Where to ask; its images must be there.")
@click.option(
    "--images", default=3, show_default=True, type=click.IntRange(min=1), help="How many images to ask about."
)
@click.option("--weights", help="A file of weights, or a name the method knows.")
@options.settings
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@options.data_root
@options.as_json
def command(
    method: str,
    split: str,
    images: int,
    weights: str | None,
    pairs: tuple[str, ...],
    device: str,
    data_root: str | None,
    as_json: bool,
) -> None:
    """Check METHOD's contract on a few drawn scenes, in seconds."""
    plugins.refuse_absent(plugins.METHODS, method)
    given, used = options.options_of(pairs), chosen(device)
    make_before_drawing(method, split, data_root, weights=weights, device=used, options=given)
    with show.counting("drawing scenes") as told:
        loaded = load_split(split, data_root, told)
    built, _ = make(method, weights=weights, device=used, split=loaded.name, data_root=loaded.data_root, options=given)
    findings = check_method(built, loaded, images)
    if as_json:
        show.print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            mark, style = _MARKS[finding.holds]
            show.print_line(f"[{style}]{mark}[/] {finding.claim}", markup=True)
            if finding.caution:
                caution = plain(finding.caution)
                show.print_line(f"     warning: {caution}")
            if finding.seen and finding.holds is not None:
                show.print_line(f"     {plain(finding.seen)}")
        if untried := sum(finding.holds is None for finding in findings):
            show.print_line(f"{untried} were not tried, because the method raised an exception")
    if not all(finding.holds for finding in findings):
        sys.exit(1)
