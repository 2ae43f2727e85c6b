"""How long until `risbench run --method tris` prints its first line, until its bar moves, and until it ends?

    python tests/bench/first_words.py [--limit 10] [--repeats 5] [--tree FOLDER …]

The command is run as a user types it, on drawn scenes with the shipped weights, its output through a terminal, because
only there is a bar. Medians of the repeats in seconds, with the processor seconds beside; other trees, such as a
worktree of an older commit, take turns with this one. Torch's import alone is printed too: it is the floor.
"""

from __future__ import annotations

import argparse
import os
import pty
import statistics
import sys
import tempfile
import time
from pathlib import Path

from machine import described

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.terminal import pieces_of

ROOT = Path(__file__).resolve().parents[2]
MOVED = b" 1/"  # the bar after the first image


def timed(command: list[str], tree: Path) -> tuple[float, float, float, float]:
    """Seconds to the first line, to the bar's first step, to the end, and of the processor."""
    start = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tree)  # `-m` looks there first
        os.environ.update(PYTHONPATH=str(tree), COLUMNS="200", TERM="xterm")
        os.execv(sys.executable, [sys.executable, *command])
    text, first, moved = b"", 0.0, 0.0
    for piece in pieces_of(terminal):
        text += piece
        first = first or (time.perf_counter() - start if b"\n" in text else 0.0)
        moved = moved or (time.perf_counter() - start if MOVED in text else 0.0)
    _, status, used = os.wait4(child, 0)
    end = time.perf_counter() - start
    if status:
        raise SystemExit(text.decode(errors="replace"))
    return first or end, moved or end, end, used.ru_utime + used.ru_stime


def main() -> None:
    """Time the command and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tree", type=Path, nargs="*", default=[], help="other source trees to compare with")
    options = parser.parse_args()
    print(described())
    trees = [ROOT, *(tree.resolve() for tree in options.tree)]
    with tempfile.TemporaryDirectory() as folder:
        run = ["-m", "risbench", "run", "--method", "tris", "--split", "shapes_val", "--limit", str(options.limit)]
        names = {tree: "this tree" if tree == ROOT else tree.name for tree in trees}
        found: dict[str, list[tuple[float, float, float, float]]] = {}
        for repeat in range(options.repeats + 1):  # the first draws the scenes and warms up
            for number, tree in enumerate(trees):
                values = timed([*run, "--out", f"{folder}/{number}-{repeat}"], tree)
                if repeat:
                    found.setdefault(f"risbench run, {names[tree]}", []).append(values)
            if repeat:
                found.setdefault("import torch", []).append(timed(["-c", "import torch"], ROOT))
    print(f"{'':40s}{'first line':>12s}{'first image':>12s}{'end':>12s}{'processor':>12s}")
    for name, rows in found.items():
        medians = [statistics.median(column) for column in zip(*rows, strict=True)]
        shown = medians if name != "import torch" else [None, None, *medians[2:]]
        print(f"{name:40s}" + "".join(f"{'':>12s}" if value is None else f"{value:10.2f} s" for value in shown))


if __name__ == "__main__":
    main()
