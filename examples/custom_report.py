"""A report of your own: which expressions are answered worst? ``python examples/custom_report.py RUN``

In a package, an entry point makes it ``risbench report RUN --as worst``:

    [project.entry-points."risbench.reports"]
    worst = "my_package:render"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from risbench import Run, load_split

COUNT = 5


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """The expressions with the lowest IoU of each run, as text; written to ``out`` if that is given."""
    lines = []
    for run in runs:
        name = run.summary["split"]
        split = load_split(name, data_root)
        lines.append(f"{run.summary['method']} on {name}")
        rows = [row for row in run.rows() if row.iou is not None]  # without a true mask there is no IoU
        for row in sorted(rows, key=lambda row: (row.iou, row.id))[:COUNT]:
            lines.append(f"  {100 * (row.iou or 0):5.1f}  {split.sample(row.id).text}")
    text = "\n".join(lines)
    if out is None:
        return text
    out.write_text(text + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    print(render([Run.load(folder) for folder in sys.argv[1:]]))
