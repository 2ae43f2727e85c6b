"""By how much does bfloat16 for TRIS's image trunk change each metric?

    python tests/bench/precision.py [--split shapes_val] [--limit N] [--stage 2] [--weights FILE] [--data-root DIR]

Both runs answer the same expressions on the CPU. Printed are the values in percent, their difference in points, and the
expressions whose IoU changed by more than a hundredth. A difference above 0.1 points is marked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from machine import described

from risbench import Run, evaluate, load_split

BOUND = 0.1  # points


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="shapes_val")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--stage", type=int, choices=(1, 2), default=2, help="of the shipped weights")
    parser.add_argument("--weights", help="a file, instead of the shipped weights")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    print(described())
    split = load_split(options.split, options.data_root)
    chosen = {} if options.weights else {"stage": str(options.stage)}
    runs: dict[str, Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("float32", "bf16"):
            begun = time.process_time()
            runs[precision] = evaluate(
                "tris",
                split,
                weights=options.weights or "shapes",
                options={**chosen, "precision": precision},
                limit=options.limit,
                out=Path(folder) / precision,
                progress=False,
            )
            print(f"{precision}: {time.process_time() - begun:.1f} s of processor")
        exact, half = (list(run.rows()) for run in runs.values())
        shares = [(row.intersection or 0) / row.union if row.union else 0.0 for rows in (exact, half) for row in rows]
        apart = [abs(a - b) > 0.01 for a, b in zip(shares[: len(exact)], shares[len(exact) :], strict=True)]
        print(f"{'metric':10s}{'float32':>10s}{'bf16':>10s}{'points':>10s}")
        worst = 0.0
        for name, value in runs["float32"].summary["metrics"].items():
            if value["value"] is None:
                continue
            a, b = 100 * value["value"], 100 * runs["bf16"].summary["metrics"][name]["value"]
            worst = max(worst, abs(b - a))
            print(f"{name:10s}{a:10.2f}{b:10.2f}{b - a:+10.3f}" + (" above the bound" if abs(b - a) > BOUND else ""))
        print(f"{sum(apart)} of {len(apart)} expressions have another IoU by more than 0.01")
        print(f"largest change: {worst:.3f} points; bound {BOUND}: {'held' if worst <= BOUND else 'NOT held'}")


if __name__ == "__main__":
    main()
