"""A worker: ``fuzz.py FOLDER FIRST LAST TARGET…`` reads the mutated files FIRST to LAST-1 of each target.

FOLDER/now names the file under work, so that whoever waits knows which one ended this process or keeps it. What was
found goes to FOLDER/found.jsonl, one line a fault; the file at fault is kept.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy.ma  # noqa: F401  (what numpy imports late compiles something)
import packaging.version  # noqa: F401  (and so does what old versions of Pillow import late)
from mutation import changed_bytes, changed_value, pickle_of
from targets import Target, targets
from watch import Watch, hold_memory


def content_of(target: Target, number: int) -> bytes:
    """The file of a number."""
    chance = random.Random(f"{target.name} {number}")
    if target.values and chance.random() < 0.6:
        value = changed_value(chance, chance.choice(target.values))
        try:
            return (target.write or pickle_of(chance))(value)
        except (ValueError, TypeError, OverflowError):  # a value that this form of file cannot hold
            pass
    return target.wrap(changed_bytes(chance, target.seeds))


def main(folder: Path, first: int, last: int, names: list[str]) -> None:
    watch = Watch()
    with (folder / "found.jsonl").open("a", buffering=1) as found, (folder / "done").open("a", buffering=1) as done:
        for target in targets(folder, names):
            path = folder / target.place
            path.parent.mkdir(parents=True, exist_ok=True)
            for seed in target.seeds:
                path.unlink(missing_ok=True)
                path.write_bytes(target.wrap(seed))
                watch.warm(target.read, path)
            hold_memory()
            for number in range(first, last):
                content = content_of(target, number)
                path.unlink(missing_ok=True)  # a file that somebody still maps must not change below them
                path.write_bytes(content)
                (folder / "now").write_text(f"{target.name} {number}")
                fault = watch.fault_of(target.read, path, target.does, target.reserves)
                if fault is not None:
                    (folder / f"kept-{target.name}-{number}{path.suffix}").write_bytes(content)
                    found.write(json.dumps({"target": target.name, "number": number, "fault": fault}) + "\n")
            done.write(f"{target.name} {last - first}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
