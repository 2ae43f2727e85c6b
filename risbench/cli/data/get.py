"""``risbench data get``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ...errors import RisbenchError
from ...plain import counted
from ...running.bar import Bar
from .. import options, show

if TYPE_CHECKING:
    from ...datasets.get.get import Fetched
    from ...datasets.get.messages import OnProgress

_SHOWN = 5


@click.command("get")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--images",
    type=click.Choice(["split", "all", "none"]),
    help="Which images to download: those of the split, all, or none [default: for a split its own, for `referit` "
    "all, else none].",
)
@click.option(
    "--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="Parallel downloads of single images."
)
@click.option("--from", "prefix", metavar="URL", help="Download all from your own mirror: URL/<archive>.")
@options.data_root
@options.as_json
def command(
    names: tuple[str, ...], images: Any, jobs: int, prefix: str | None, data_root: Path | None, as_json: bool
) -> None:
    """Download data sets into the data root.

    NAME is a split (its annotations and only the images that it needs), or one of refcoco, refcoco+, refcocog, refclef
    (annotations), referit (TRIS's pickles and the images), referit-pickles, saiapr, coco-train2014 (all of it, 13 GB).
    Files that exist are not downloaded again, and interrupted downloads continue. Exit code 1 if anything is missing.
    """
    from ...datasets.get.get import get

    try:
        found = get(names, data_root, images=images, jobs=jobs, prefix=prefix, talk=_Terminal())
    except KeyboardInterrupt:
        raise RisbenchError("stopped; what was downloaded is kept, and the same command continues") from None
    if as_json:
        show.print_json([asdict(one) for one in found])
    failed = {image: reason for one in found for image, reason in one.failed.items()}
    for image, reason in list(failed.items())[:_SHOWN]:
        show.say(f"missing: {image}: {reason}")
    if len(failed) > _SHOWN:
        show.say(f"and {len(failed) - _SHOWN} more (--json lists all)")
    if not as_json:
        for one in found:
            _print_fetched(one, "" if data_root is None else f" --data-root {shlex.quote(str(data_root))}")
    if failed:
        sys.exit(1)


def _print_fetched(fetched: Fetched, root: str) -> None:
    state = "there"
    if fetched.images is not None:
        state += f", with {fetched.images - len(fetched.failed)} of {counted(fetched.images, 'image')}"
    elif fetched.archives and fetched.check:
        state += "" if len(fetched.archives) > 1 else ", without images"
    show.print_line(f"{fetched.name}: {state}")
    if fetched.check:
        line = f"  next: risbench data check {' '.join(fetched.check)}{root}"
        show.print_line(line)


class _Terminal:
    """Prints messages and progress bars on stderr; bars only on a terminal."""

    def say(self, text: str) -> None:
        show.say(text)

    @contextmanager
    def bar(self, title: str, *, in_bytes: bool) -> Iterator[OnProgress]:
        amount = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), *amount, TimeRemainingColumn())
        with Bar(*columns, console=show.err, in_bytes=in_bytes) as shown:
            task = shown.add_task(title, total=None)
            yield lambda done, total: shown.update(task, completed=done, total=total)
