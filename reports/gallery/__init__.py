"""A page to browse every expression of some runs: one file that opens from disk, without network or server.

The page has a block of JSON for each image (a thumbnail, the masks' run-length codes, small heats), which the browser
reads when the image becomes visible, and one overview of all expressions, which it sorts and filters. The page's script
draws masks from their codes, so they are exact at any size and take only a few hundred bytes each.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from risbench import Run, UsageError
from risbench.datasets.choose import with_ids
from risbench.errors import DataWarning
from risbench.statistics.failures import failures_of

from ..about import left_out_note, notes_of, numbers_of, split_of_runs, titles_of
from ..breakdown.failures import DEFINITIONS
from .answers import answers_of
from .contents import Contents, Overview
from .expressions import write_expressions
from .page import Page
from .shown import shown_rows
from .thumbnails import Thumbnails

INSIDE, BESIDE = "inside", "beside"
# A browser opens a page above about 50 MB slowly; a thumbnail takes about 15 kB as text.
_MOST_INSIDE = 3000
# With codes of 1,000 characters about 50 MB for one run.
_MOST_EXPRESSIONS = 30_000


def render(
    runs: Sequence[Run],
    *,
    out: Path | None = None,
    metrics: str | None = None,
    data_root: Path | None = None,
    thumbnails: str | None = None,
    expressions: int | None = None,
) -> str | None:
    """Write the page to ``out``.

    Args:
        runs: of one split; their columns are side by side.
        out: the page, ``.html``.
        metrics: the metrics at the top of the page, by default all ten.
        data_root: where the images lie, by default where the first run found them.
        thumbnails: ``inside`` the page or ``beside`` it, in the folder ``<name>_files``; by default inside, up to
            3000 images.
        expressions: about how many expressions are shown at most, those of whole images that are spread evenly over
            the split; by default 30,000, more than the val and test splits of RefCOCO, RefCOCO+ and RefCOCOg have.

    Raises:
        UsageError: ``out`` is absent or has another suffix, or the runs are of different splits.
    """
    if not runs:
        raise UsageError("a gallery shows runs: give one or more run folders")
    if out is None or out.suffix.lower() not in (".html", ".htm"):
        raise UsageError("a gallery is a page: give --out FILE.html")
    if thumbnails not in (None, INSIDE, BESIDE):
        raise UsageError(f"--thumbnails {thumbnails}: must be {INSIDE} or {BESIDE}")
    split = split_of_runs(runs, data_root)
    about_runs = notes_of(runs)  # before anything of the page is in memory, for all rows are read once more
    rows, left_out, note = shown_rows(runs, _MOST_EXPRESSIONS if expressions is None else expressions)
    if note is not None:
        warnings.warn(note, DataWarning, stacklevel=2)
        split = with_ids(split, rows[0].keys(), "shown")
    beside = thumbnails == BESIDE or (thumbnails is None and len(split.images) > _MOST_INSIDE)
    folder = out.with_name(f"{out.stem}_files") if beside else None
    titles = titles_of(runs)
    answers = [answers_of(run, set(rows[0])) for run in runs]
    failures = failures_of(split, runs, rows, answers)
    contents = Contents(split, rows, answers, [run.path for run in runs], failures.outcomes)
    with Page(out, f"{split.name}: {', '.join(titles)}") as page, Thumbnails(folder) as pictures:
        for number, block in contents.blocks(pictures):
            page.add(f"image-{number}", block)
        notes = [*([] if note is None else [f"PART: {note}."]), *about_runs]
        if left_out:
            notes.append(left_out_note(left_out))
        notes += pictures.notes(split.image_folder)
        notes += [f"Outcomes: {DEFINITIONS}", *(f"{note}." for note in failures.notes())]
        notes.append("Truth is drawn as the union of the annotated parts; areas are shares of the image it covers.")
        overview = Overview(split.name, titles, [numbers_of(run, metrics) for run in runs], notes)
        page.add("overview", overview.record(contents))
    return None


render.__dict__["expressions"] = write_expressions  # for `risbench data show`
