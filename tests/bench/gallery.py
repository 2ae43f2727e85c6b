"""How long the gallery of 10,000 expressions takes, and how much memory: ``python tests/bench/gallery.py [IMAGES]``.

Made-up data: 10,000 expressions about 5,000 images (or as many as given) of 480x640, JPEGs of a photograph's size,
two runs, the first with heats of 40x40. Each way to keep the thumbnails is timed in a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described
from helpers.annotations import annotation, image, ref, sentence, write_refer
from made_up.samples import blobs

from risbench import Run, load_split, score
from risbench.masks import encode
from risbench.results import heats

SIZE = (480, 640)
EXPRESSIONS = 10_000
PHOTOGRAPHS = 40  # of these the images are links


def main() -> None:
    """Make the data up, then render the page in each way."""
    if sys.argv[1:2] == ["render"]:
        _render(*sys.argv[2:])
        return
    images = int(sys.argv[1]) if sys.argv[1:] else 5000
    print(described())
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        runs = _made_up(base, images)
        for way in ("inside", "beside"):
            command = [sys.executable, __file__, "render", way, str(base / way / "page.html"), *runs]
            subprocess.run(command, check=True)


def _render(way: str, out: str, *runs: str) -> None:
    from reports import gallery

    start, busy = time.perf_counter(), time.process_time()
    gallery.render([Run.load(run) for run in runs], out=Path(out), thumbnails=way)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = Path(out).stat().st_size / 1e6
    # Processor time of all threads, too: others on the machine lengthen the clock's.
    print(f"thumbnails {way}: {seconds:.1f} s ({busy:.1f} s of processor), {memory:.0f} MB, page {size:.1f} MB")


def _made_up(base: Path, images: int) -> list[str]:
    generator = np.random.default_rng(0)
    root = base / "data"
    _photographs(generator, root / "train2014", images)
    masks = [encode(blobs(generator, SIZE, 0.1, 20.0)) for _ in range(200)]
    anns = [annotation(n, n, [10, 10, 200, 200], masks[n % 200]) for n in range(images)]
    share = EXPRESSIONS // images
    refs = [
        ref(n, n, n, "val", [sentence(share * n + turn, f"the thing number {n} on the left") for turn in range(share)])
        for n in range(images)
    ]
    listed = [image(n, SIZE) for n in range(images)]
    write_refer(root, {"images": listed, "annotations": anns, "categories": [{"id": 1, "name": "thing"}]}, refs)
    split = load_split("refcoco_val", root)
    runs = []
    for number in range(2):
        lines = [{"id": one.id, "segmentation": masks[generator.integers(200)]} for one in split]
        file = base / f"method{number}.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        runs.append(str(score(file, split, out=base / f"run{number}").path))
    for group in split.by_image():
        found = {one.id: generator.random((40, 40)) for one in group}
        heats.save(Path(runs[0]), group[0].image_id, found, "float32")
    return runs


def _photographs(generator: np.random.Generator, folder: Path, images: int) -> None:
    import cv2

    folder.mkdir(parents=True)
    for n in range(images):
        path = folder / f"COCO_train2014_{n:012d}.jpg"
        if n >= PHOTOGRAPHS:
            os.link(folder / f"COCO_train2014_{n % PHOTOGRAPHS:012d}.jpg", path)
            continue
        noise = generator.standard_normal((*SIZE, 3)).astype(np.float32)
        picture = 128 + 400 * cv2.GaussianBlur(noise, (0, 0), 6.0) + 30 * cv2.GaussianBlur(noise, (0, 0), 0.8)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=92)


if __name__ == "__main__":
    main()
