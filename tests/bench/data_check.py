"""How long `data check`, `data leaks` and `--truth` take on sets of RefCOCO's size, made up.

Run by ``python tests/bench/data_check.py [FOLDER]``. 20,000 JPEGs of 480 x 640 (near 100 KB each, 2 GB in all, written
to FOLDER or the temporary folder and deleted), 50,000 refs, 142,000 expressions. Cold means that the kernel was asked
to forget the files (it need not do so).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from datasets import make_up
from machine import described
from PIL import Image

PICTURES = 40  # different ones; the files are copies of these


def draw_images(root: Path, names: list[str]) -> int:
    """Writes an image for each name; the bytes in all."""
    folder = root / "train2014"
    folder.mkdir()
    dice = np.random.default_rng(0)
    contents = []
    for _ in range(PICTURES):
        coarse = Image.fromarray(dice.integers(0, 256, (120, 160, 3), np.uint8)).resize((640, 480))
        stream = io.BytesIO()
        coarse.save(stream, "JPEG", quality=92)
        contents.append(stream.getvalue())
    for number, name in enumerate(names):
        (folder / name).write_bytes(contents[number % PICTURES])
    os.sync()
    return sum(len(contents[number % PICTURES]) for number in range(len(names)))


def forget(files: list[Path]) -> None:
    """Asks the kernel to drop the files' pages."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def touch(files: list[Path]) -> None:
    """What any look at the headers must read: the first block of a file and its last bytes."""
    for path in files:
        with path.open("rb") as file:
            file.read(4096)
            file.seek(-2, 2)
            file.read()


def main(folder: Path) -> None:
    """Prints the table."""
    from risbench.datasets import load_split
    from risbench.datasets.audit.split_check import check_split

    print(described(), f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=folder) as made:
        root = Path(made)
        os.environ["RISBENCH_CACHE"] = str(root / "cache")
        make_up(root)
        split = load_split("refcoco_train", root)
        names = [split.table.image_file[row] for row in range(len(split.table.image_id))]
        size = draw_images(root, names)
        files = [root / "train2014" / name for name in names]
        print(f"made-up set: {len(files):,} images ({size / 1e9:.1f} GB), {len(split):,} expressions")
        for state in ("cold", "warm"):
            if state == "cold":
                forget(files)
            row(f"one block and the end of every file, one after the other, {state}", lambda: touch(files))
            if state == "cold":
                forget(files)
            row(f"data check, {state}", lambda: check_split(split.name, root))
        row("data check --no-images", lambda: check_split(split.name, root, images=False))
        forget(files)
        row("data check --deep, cold", lambda: check_split(split.name, root, deep=True))
        measure_leaks(root)
        measure_truth(root)


def row(title: str, act: Callable[[], object]) -> None:
    """Prints how long it took by the clock, and how much of a core; on a busy machine the first says little."""
    began, worked = time.perf_counter(), time.process_time()
    act()
    took, worked = time.perf_counter() - began, time.process_time() - worked
    print(f"{title:66} {took:7.2f} s, {worked:7.2f} s of a core", flush=True)


def measure_leaks(root: Path) -> None:
    """A training split against a small one of the same images: texts are compared image by image."""
    from risbench.datasets import load_split
    from risbench.datasets.audit.leaks import find_leaks

    file = root / "refer" / "refcoco" / "refs(unc).p"
    refs = pickle.loads(file.read_bytes())
    for number, ref in enumerate(refs):
        ref["split"] = "val" if number % 14 == 0 else "train" if number % 7 < 6 else "testA"
    file.write_bytes(pickle.dumps(refs, protocol=2))
    a, b = (load_split(name, root) for name in ("refcoco_train", "refcoco_val"))
    row(f"data leaks, {len(a):,} x {len(b):,} expressions", lambda: find_leaks(root, [a.name, b.name]))


def measure_truth(root: Path) -> None:
    """Another mask for every object of the training split."""
    from risbench.datasets import load_split
    from risbench.masks import box_round

    whole = load_split("refcoco_train", root)
    parts = {str(sample.ref_id): sample.parts[0] for sample in whole if box_round(sample.parts)}
    path = root / "truth.json"
    path.write_text(json.dumps({"ref_id": parts}))
    title = f"--truth with {len(parts):,} masks, {path.stat().st_size / 1e6:.0f} MB"
    row(title, lambda: whole.with_truth(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()))
