"""How fast runs become tables, comparisons and pages.

    python tests/bench/reports.py
    python tests/bench/reports.py --expressions 142000 1000000 [--only compare] [--keep DIR]

Without options: from six made-up folders of the size of RefCOCO's val (1,500 images, 10,500 expressions) to text, in
this process. With ``--expressions``: what each command costs as a user types it, in time, processor seconds and memory,
on two made-up runs over the set of `tests/bench/million.py`; nothing has to be scored first.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

# In the place of this folder, in which "reports" would be this file.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.big_runs import made_up_runs
from bench.machine import described, seconds
from bench.million import run, write_set
from helpers.runs import ious_of, write_run

from reports import rows
from reports.tables import as_csv, as_json, latex, markdown
from risbench import Run, load_split
from risbench.statistics.compare import compare

IMAGES, PER_IMAGE = 1_500, 7


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expressions", type=int, nargs="+", help="time whole commands on runs of these sizes")
    parser.add_argument("--only", default="", help="how the name of a command begins")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the data of each size for the next time")
    options = parser.parse_args()
    print(f"{described()}, load {os.getloadavg()[0]:.1f}")
    if options.expressions is None:
        _forms()
        return
    with tempfile.TemporaryDirectory() as made:
        for expressions in options.expressions:
            root = (options.keep or Path(made)).resolve() / str(expressions)
            print(f"{expressions:,} expressions, two runs")
            _commands(root, expressions, options.only)


def _forms() -> None:
    """Time each form, from folders on disk to text."""
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


def _commands(root: Path, expressions: int, only: str) -> None:
    """Each command that reads all rows, in a process of its own."""
    os.environ["RISBENCH_CACHE"] = str(root / "cache")
    if not (root / "method1").is_dir():
        # In another process: the largest memory of a process counts for those that it starts.
        child = multiprocessing.get_context("spawn").Process(target=_make_up, args=(root, expressions))
        child.start()
        child.join()
        time.sleep(2.5)  # a file younger than that is hashed at every start
    one, two = str(root / "method0"), str(root / "method1")
    commands = {
        "compare": ["compare", one, two],
        "compare --no-slices": ["compare", one, two, "--no-slices"],
        "report": ["report", one, two],
        "report --by length": ["report", one, two, "--by", "length"],
        "report --by iou": ["report", one, "--by", "iou"],
        "report --as html": ["report", one, "--as", "html", "--out", str(root / "page.html")],
    }
    for name, arguments in commands.items():
        if name.startswith(only):
            run(name, expressions, arguments, {**os.environ, "COLUMNS": "100"}, root)


def _make_up(root: Path, expressions: int) -> None:
    write_set(root, expressions)
    made_up_runs(root, load_split("refcoco_train", root), 2)


def _print(name: str, work: object) -> None:
    print(f"  {name:42} {seconds(work, 3):6.2f} s")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
