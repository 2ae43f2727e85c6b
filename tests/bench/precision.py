"""By how much does bfloat16 for TRIS's image trunk change each metric?

    python tests/bench/precision.py [--split shapes_val shapes_test] [--stage 2] [--weights FILE]

Both answer the same expressions on the CPU, those of all splits together. Printed are the values in percent, their
difference in points, and the expressions whose IoU changed by more than a hundredth. A difference above 0.1 points is
marked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import described

from risbench import evaluate, load_split
from risbench.results.rows import Row
from risbench.scorer import summary_of

BOUND = 0.1  # points


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", nargs="+", default=["shapes_val", "shapes_test"])
    parser.add_argument("--limit", type=int, help="of each split")
    parser.add_argument("--stage", type=int, choices=(1, 2), default=2, help="of the shipped weights")
    parser.add_argument("--weights", help="a file, instead of the shipped weights")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    print(described())
    chosen = {} if options.weights else {"stage": str(options.stage)}
    rows: dict[str, list[Row]] = {"float32": [], "bf16": []}
    with tempfile.TemporaryDirectory() as folder:
        for precision, found in rows.items():
            begun = time.process_time()
            for name in options.split:
                run = evaluate(
                    "tris",
                    load_split(name, options.data_root),
                    weights=options.weights or "shapes",
                    options={**chosen, "precision": precision},
                    limit=options.limit,
                    out=Path(folder) / precision / name,
                    progress=False,
                )
                found += run.rows()
            print(f"{precision}: {time.process_time() - begun:.1f} s of processor")
    exact, half = (np.array([row.iou for row in found]) for found in rows.values())
    before, after = (summary_of(found) for found in rows.values())
    print(f"{'metric':10s}{'float32':>10s}{'bf16':>10s}{'points':>10s}")
    worst = 0.0
    for name, value in before.items():
        if value["value"] is None:
            continue
        a, b = 100 * value["value"], 100 * after[name]["value"]
        worst = max(worst, abs(b - a))
        print(f"{name:10s}{a:10.2f}{b:10.2f}{b - a:+10.3f}" + (" above the bound" if abs(b - a) > BOUND else ""))
    apart = np.abs(exact - half) > 0.01
    print(f"{apart.sum()} of {apart.size} expressions have another IoU by more than 0.01")
    print(f"largest change: {worst:.3f} points; bound {BOUND}: {'held' if worst <= BOUND else 'NOT held'}")


if __name__ == "__main__":
    main()
