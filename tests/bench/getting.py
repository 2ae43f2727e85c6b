"""Gets a made-up split of 1,500 images from this machine, killed five times: ``python tests/bench/getting.py``.

The images are noise of 480x640, about 105 kB each. Said is how many requests it took with the kills and without, how
long, and whether every image is there and right.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described
from helpers import annotations, mirror
from helpers.site import Site, serving

COUNT, SIZE, KILLS = 1_500, (480, 640), 5


def main() -> None:
    """Twice: undisturbed, then killed."""
    print(described())
    with tempfile.TemporaryDirectory() as base, serving() as site:
        _fill(site, Path(base))
        for kills in (0, KILLS):
            site.requests.clear()
            _get(site, Path(base), kills)


def _fill(site: Site, base: Path) -> None:
    numbers = range(1, COUNT + 1)
    instances = {
        "images": [annotations.image(n, SIZE) for n in numbers],
        "annotations": [annotations.annotation(n, n, [1, 1, 9, 9], [[1, 1, 10, 1, 10, 10]]) for n in numbers],
        "categories": annotations.CATEGORIES,
    }
    refs = [annotations.ref(n, n, n, "val", [annotations.sentence(n, "it")]) for n in numbers]
    annotations.write_refer(base / "made", instances, refs)
    folder = base / "made/refer/refcoco"
    site.put("/refcoco.zip", mirror.zipped({f"refcoco/{path.name}": path.read_bytes() for path in folder.iterdir()}))
    noise = np.random.default_rng(0)
    for number in numbers:
        path = base / "one.jpg"
        Image.fromarray(noise.integers(0, 120, (*SIZE, 3), np.uint8)).save(path, quality=70)
        site.put(f"/coco/{mirror.file_of(number)}", path.read_bytes())
    table = json.loads(mirror.table_on(site, base / "sources.json").read_text())
    table["archives"]["refcoco"]["most"] = {"archive": 10**8, "member": 10**8, "total": 10**8}
    (base / "sources.json").write_text(json.dumps(table))


def _get(site: Site, base: Path, kills: int) -> None:
    root = base / f"data {kills}"
    environment = {
        **os.environ,
        "RISBENCH_SOURCES": str(base / "sources.json"),
        "RISBENCH_DATA": str(root),
        "RISBENCH_CACHE": str(base / "cache"),
    }
    words = [sys.executable, "-m", "risbench", "data", "get", "refcoco_val"]
    chance, begun = random.Random(0), time.monotonic()
    for _ in range(kills):
        running = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(2, 4))
        running.send_signal(signal.SIGKILL)
        running.wait()
    subprocess.run(words, env=environment, check=True, capture_output=True)
    spent = time.monotonic() - begun
    right = sum(
        (root / "train2014" / path.rpartition("/")[2]).read_bytes() == page.body
        for path, page in site.pages.items()
        if path.startswith("/coco/")
    )
    left = [path.name for path in root.rglob("*.part*")]
    size = sum(len(page.body) for page in site.pages.values())
    print(
        f"killed {kills} times: {len(site.requests)} requests for {COUNT + 1} files, {size / 1e6:.0f} MB, "
        f"{spent:.1f} s; {right} images right, {len(left)} parts left over"
    )


if __name__ == "__main__":
    main()
