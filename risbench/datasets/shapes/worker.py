"""Draw a share of a split: ``python -m risbench.datasets.shapes.worker SPLIT FOLDER FIRST STEP COUNT``.

Images are written to FOLDER, and one line of JSON per image to standard output. The worker is a separate program and
not a forked or spawned copy of the caller: forking a process with threads is unsafe, and spawning would run the
caller's script again. If the caller has ended, the next line cannot be written, and the worker ends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .entries import annotation_entries, file_name, image_entry, ref_entries
from .scene import draw_scene
from .splits import SPLITS


def draw(split: str, folder: Path, first: int, step: int, count: int) -> Iterator[dict[str, Any]]:
    """Draw and save every ``step``-th of a split's first ``count`` scenes, and yield the entries of each."""
    from PIL import Image

    for number in range(first, count, step):
        scene = draw_scene(SPLITS[split].seeds + number)
        # Level 1 is four times as fast as the default, and files are a few per cent larger; Pillow chooses the filter.
        Image.fromarray(scene.image).save(folder / file_name(split, scene.seed), compress_level=1)
        yield {
            "image": image_entry(scene, split),
            "annotations": annotation_entries(scene),
            "refs": ref_entries(scene, split),
        }


def main(arguments: list[str]) -> int:
    """Draw a share; the exit code is 1 if it was not finished."""
    split, folder, first, step, count = arguments
    try:
        for entry in draw(split, Path(folder), int(first), int(step), int(count)):
            sys.stdout.write(json.dumps(entry) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush at exit
        return 1
    except OSError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
