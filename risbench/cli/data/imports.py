"""``risbench data import``."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from ...datasets.imports.own_form import EXAMPLE, FORM
from ...errors import DataError, UsageError
from ...io import places
from ...plain import counted
from .. import options, show

_SHOWN = 10
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT)  # of a place that cannot be written
_HELP = f"""Import data that are already on this machine into the data root.

With --from: a copy of the data sets, in one of these forms: the folders of the refer tool, LAVT or TRIS, the REFER
zips, COCO's train2014 folder or zip, ReferIt's pickles and SAIAPR images, parquet copies of RefCOCO from Hugging Face
(needs the extra [parquet]). Files are linked if possible, or copied with --copy; no file with other content is
overwritten. A part of a data set is accepted, and missing parts are listed. Exit code 1 if nothing was recognised, or
none of it can be used.

With FILE --as NAME: your own data become a split, and every command knows it as NAME. FILE is one JSON:

\b
{FORM}
A complete FILE:

\b
{EXAMPLE}
"""


@click.command("import", help=_HELP)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--from", "source", type=click.Path(path_type=Path), help="A folder or zip of data sets.")
@click.option("--as", "name", metavar="NAME", help="The name of the new split.")
@click.option("--copy/--link", default=False, show_default="--link", help="Copy files, or link to them.")
@options.data_root
@options.as_json
def command(
    file: Path | None, source: Path | None, name: str | None, copy: bool, data_root: Path | None, as_json: bool
) -> None:
    """Import a copy of the data sets, or one's own data; see `_HELP`."""
    try:
        if file and name and not source:
            return _own(file, name, copy, data_root, as_json)
        if source and not file and not name:
            return _copies(source, copy, data_root, as_json)
    except OSError as error:
        root = places.data_root(data_root).absolute()
        at = None if error.filename is None else Path(os.fsdecode(error.filename)).absolute()
        if at is None or error.errno not in _CLOSED or not (root.is_relative_to(at) or at.is_relative_to(root)):
            raise
        raise DataError(f"{at}: cannot be written ({error.strerror}); {places.ANOTHER}") from None
    raise UsageError("data import needs --from DIR (or a zip), or FILE with --as NAME")


def _own(file: Path, name: str, copy: bool, data_root: Path | None, as_json: bool) -> None:
    from ...datasets.imports.own import import_own

    with show.counting("importing images") as on_progress:
        made = import_own(file, name, data_root, copy=copy, progress=on_progress)
    split = made.split
    if made.box_only:
        show.say(
            f"warning: expressions with a box and no mask: {made.box_only}; they count in PointIt and Accbox, and are "
            "left out of mIoU, oIoU, P@k and PointM"
        )
    if made.without_target:
        show.say(
            f"warning: expressions without a target object: {made.without_target}; an empty prediction for them is "
            "left out of every score, any other mask counts as IoU 0"
        )
    if made.turned:
        show.say(
            f"warning: images with an EXIF rotation: {len(made.turned)}, the first {made.turned[0]}; masks and boxes "
            "must fit the pixels as they are stored, without the rotation, because methods get these pixels"
        )
    if as_json:
        record = {"split": name, "folder": str(made.folder), "new": made.new, "role": split.entry.role}
        more = {"box_only": made.box_only, "without_target": made.without_target, "turned": list(made.turned)}
        show.print_json({**record, "counts": split.counts._asdict(), **more})
        return
    counts = ", ".join(counted(count or 0, key[:-1]) for key, count in split.counts._asdict().items())
    _line(f"{name}: {counts}; {made.folder}" + ("" if made.new else " (there already)"))
    _line(f"next: risbench run --method centre --split {name}{_root_of(data_root)}")


def _copies(source: Path, copy: bool, data_root: Path | None, as_json: bool) -> None:
    from ...datasets.imports.copies import import_copy

    with show.counting("importing images") as on_progress:
        report = import_copy(source, data_root, copy=copy, progress=on_progress)
    for refused in report.refused[:_SHOWN]:
        show.say(f"not taken: {refused.name}: {refused.reason}")
    if len(report.refused) > _SHOWN:
        show.say(f"not taken: {len(report.refused) - _SHOWN} more (--json lists all)")
    for note in report.notes:
        show.say(f"note: {note}")
    if partial := [
        state.name for state in report.splits if state.partial and state.counts and state.counts.expressions
    ]:
        show.say(f"warning: partial, so their figures are not comparable with published ones: {', '.join(partial)}")
    if as_json:
        show.print_json(_record(report))
    else:
        _print(report, data_root)
    if report.empty:
        sys.exit(1)


def _record(report: Any) -> dict[str, Any]:
    return {
        "from": str(report.source),
        "data_root": str(report.data_root),
        "annotations": [taken._asdict() for taken in report.annotations],
        "images": {folder: dict(done) for folder, done in report.images.items()},
        "refused": [refused._asdict() for refused in report.refused],
        "notes": report.notes,
        "splits": [
            {
                "split": state.name,
                "ready": state.ready,
                "partial": state.partial,
                "counts": state.counts and state.counts._asdict(),
                "expected": state.expected._asdict(),
                "images_present": state.images_present,
                "images_absent": state.images_absent,
                "missing": list(state.missing),
            }
            for state in report.splits
        ],
    }


def _print(report: Any, data_root: Path | None) -> None:
    for taken in report.annotations:
        _line(f"{taken.how:7} {taken.place}  from {taken.source}")
    for folder, done in report.images.items():
        _line(f"images  {folder}: " + ", ".join(f"{count:,} {what}" for what, count in sorted(done.items())))
    for state in report.splits:
        _line(f"{state.name}: {_verdict(state)}")
        for text in state.missing:
            _line(f"  missing: {text}")
    if ready := [state.name for state in report.splits if state.ready]:
        best = next((name for name in ready if "val" in name), ready[0])
        _line(f"next: risbench run --method centre --split {best}{_root_of(data_root)}")


def _verdict(state: Any) -> str:
    if state.counts is None or not state.counts.expressions:
        return "not in this copy" if state.counts else "not complete yet"
    counts = []
    for key, found, wanted in zip(state.counts._fields, state.counts, state.expected, strict=True):
        counts.append(f"{found:,} {key}" + ("" if wanted in (None, found) else f" (expected {wanted:,})"))
    return ("partial, " if state.partial else "") + ", ".join(counts) + f"; images present: {state.images_present:,}"


def _root_of(data_root: Path | None) -> str:
    return "" if data_root is None else f" --data-root {data_root}"


def _line(text: str) -> None:
    show.print_line(text)
