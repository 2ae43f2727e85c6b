"""``risbench check``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import click

from ..datasets.load import load_split
from ..devices import chosen
from ..methods.contract_check import check_method
from ..methods.factory import make
from ..methods.named import refuse_unknown
from ..plain import counted, plain
from ..running.made import make_before_drawing
from . import options, show

_MARKS = {True: ("ok  ", "green"), False: ("FAIL", "bold red"), None: ("--  ", "dim")}


@click.command("check")
@click.argument("method")
@click.option("--split", default="shapes_val", show_default=True, help="The split to check on; its images must exist.")
@click.option("--images", default=3, show_default=True, type=click.IntRange(min=1), help="How many images to check.")
@click.option("--weights", help="A weights file, or a name that the method knows.")
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
    """Check METHOD's contract on a few drawn scenes, in seconds. METHOD is installed, or a file: ./mine.py[:NAME]."""
    refuse_unknown(method)
    given, used = options.options_of(pairs), chosen(device)
    with redirect_stdout(sys.stderr):  # stdout is for findings only, not for what a method prints
        make_before_drawing(method, split, data_root, weights=weights, device=used, options=given)
        with show.counting("drawing scenes") as on_progress:
            loaded = load_split(split, data_root, on_progress)
        root = loaded.data_root
        built, _ = make(method, weights=weights, device=used, split=loaded.name, data_root=root, options=given)
        findings = check_method(built, loaded, images)
    if as_json:
        show.print_json([finding.record() for finding in findings])
    else:
        for finding in findings:
            mark, style = _MARKS[finding.holds]
            show.print_line(f"[{style}]{mark}[/] {finding.claim}", markup=True)
            if finding.caution:
                caution = plain(finding.caution)
                show.print_line(f"     warning: {caution}")
            if finding.detail and finding.holds is not None:
                show.print_line(f"     {plain(finding.detail)}")
        if untried := sum(finding.holds is None for finding in findings):
            checks = counted(untried, "check was", "checks were")
            show.print_line(f"{checks} not tried, because the method raised an exception")
    if not all(finding.holds for finding in findings):
        sys.exit(1)
