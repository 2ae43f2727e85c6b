"""How fast runs of 10,000 expressions become tables: ``python tests/bench/reports.py``.

Runs are made up, the size of RefCOCO's val: 1,500 images, 10,000 expressions.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

# In the place of this folder, in which "reports" would be this file.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described, seconds
from helpers.runs import ious_of, write_run

from reports import rows
from reports.tables import as_csv, as_json, latex, markdown
from risbench import Run
from risbench.statistics.compare import compare

IMAGES, PER_IMAGE = 1_500, 7


def main() -> None:
    """Time each form, from folders on disk to text."""
    print(described())
    with tempfile.TemporaryDirectory() as base:
        folders = []
        for number in range(6):
            ious = ious_of(0.3 + 0.02 * number, number, IMAGES, PER_IMAGE)
            folders.append(write_run(Path(base) / str(number), ious, method=f"method {number}").path)
        print(f"{IMAGES} images, {IMAGES * PER_IMAGE} expressions a run")
        for name, renderer in (("markdown", markdown), ("latex", latex), ("csv", as_csv), ("json", as_json)):
            for count in (1, 2, 6):
                _print(
                    f"{name}, {count} runs", lambda r=renderer, n=count: r.render([Run.load(f) for f in folders[:n]])
                )
        _print("rows to CSV, 1 run", lambda: rows.render([Run.load(folders[0])]))
        _print("compare, 2 runs, 10 metrics, no slices", lambda: compare(folders[:2], slices=False))


def _print(name: str, work: object) -> None:
    print(f"  {name:42} {seconds(work, 3):6.2f} s")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
