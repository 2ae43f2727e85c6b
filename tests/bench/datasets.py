"""How long a set of RefCOCO's size takes to load, and how much memory: first, warm, and as the REFER tool reads it.

Run by ``python tests/bench/datasets.py [--times N] [--data-root DIR]``. The set is made up: 20,000 images, 50,000 refs,
142,000 expressions, 200,000 annotations with 48 numbers each on average (RefCOCO's own file has about as many, and near
190 MB), all of it N times with new ids. It is kept in DIR, if one is given.

Each load is measured in a process of its own: seconds by the clock, seconds of the processor (smallest of the repeats)
and the largest memory that was resident (with the interpreter and numpy, about 30 MB). With another checkout in
``PYTHONPATH`` its code is measured.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # behind PYTHONPATH
sys.path.insert(0, str(Path(__file__).resolve().parent))

from machine import described

IMAGES, REFS, EXPRESSIONS, ANNOTATIONS = 20_000, 50_000, 142_000, 200_000
SPLIT = "refcoco_train"
WALKED = 500  # images, for the samples in a second


def make_up(root: Path, times: int = 1) -> None:
    """Writes the set below a data root, so many times with new ids; one time is in memory."""
    folder = root / "refer" / "refcoco"
    folder.mkdir(parents=True)
    images, annotations, refs = _one_set()
    with (folder / "instances.json").open("w") as file:
        file.write('{"images": ')
        _write_list(file, (_image(one, n) for n in range(times) for one in images))
        file.write(', "annotations": ')
        _write_list(file, (_annotation(one, n) for n in range(times) for one in annotations))
        categories = [{"id": n + 1, "name": f"class {n}", "supercategory": "made up"} for n in range(80)]
        file.write(f', "categories": {json.dumps(categories)}, "info": {{}}, "licenses": []}}')
    with (folder / "refs(unc).p").open("wb") as file:
        file.write(b"\x80\x02]")
        for n in range(times):
            content = pickle.dumps([_ref(ref, n) for ref in refs], protocol=2)
            # Without the protocol and the empty list at its beginning, and the stop: one list takes them all.
            assert content[:5] == b"\x80\x02]q\0"
            file.write(content[5:-1])
        file.write(b".")


def _one_set() -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    dice = random.Random(0)
    images = [
        {
            "id": 7 + 29 * n,
            "file_name": f"COCO_train2014_{7 + 29 * n:012d}.jpg",
            "height": 480,
            "width": 640,
            "license": 3,
        }
        for n in range(IMAGES)
    ]
    annotations = []
    for n in range(ANNOTATIONS):
        x, y, w, h = (round(dice.uniform(a, b), 2) for a, b in ((0, 300), (0, 200), (20, 300), (20, 200)))
        corners = [round(dice.uniform(x, x + w), 2) for _ in range(dice.randint(6, 90) // 2 * 2)]
        annotations.append(
            {
                "id": 1000 + n,
                "image_id": images[n % IMAGES]["id"],
                "category_id": n % 80 + 1,
                "bbox": [x, y, w, h],
                "segmentation": [corners],
                "area": w * h,
                "iscrowd": 0,
            }
        )
    counts = [3] * REFS
    for n in range(3 * REFS - EXPRESSIONS):
        counts[n] -= 1
    refs, sent_id = [], 0
    for n, count in enumerate(counts):
        sentences = []
        for _ in range(count):
            text = " ".join(dice.choice(("the", "man", "left", "red", "cup", "second", "from")) for _ in range(4))
            sentences.append({"sent_id": sent_id, "sent": text, "raw": text.title(), "tokens": text.split()})
            sent_id += 1
        ann = annotations[n]
        refs.append(
            {
                "ref_id": n,
                "ann_id": ann["id"],
                "image_id": ann["image_id"],
                "category_id": ann["category_id"],
                "file_name": f"COCO_train2014_{ann['image_id']:012d}_{n}.jpg",
                "split": "train",
                "sent_ids": [sentence["sent_id"] for sentence in sentences],
                "sentences": sentences,
            }
        )
    return images, annotations, refs


def _image(image: dict[str, Any], n: int) -> dict[str, Any]:
    ident = image["id"] + n * 1_000_000
    return {**image, "id": ident, "file_name": f"COCO_train2014_{ident:012d}.jpg"}


def _annotation(annotation: dict[str, Any], n: int) -> dict[str, Any]:
    return {**annotation, "id": annotation["id"] + n * ANNOTATIONS, "image_id": annotation["image_id"] + n * 1_000_000}


def _ref(ref: dict[str, Any], n: int) -> dict[str, Any]:
    sentences = [{**one, "sent_id": one["sent_id"] + n * EXPRESSIONS} for one in ref["sentences"]]
    moved = _annotation({"id": ref["ann_id"], "image_id": ref["image_id"]}, n)
    return {
        **ref,
        "ref_id": ref["ref_id"] + n * REFS,
        "ann_id": moved["id"],
        "image_id": moved["image_id"],
        "sent_ids": [one["sent_id"] for one in sentences],
        "sentences": sentences,
    }


def _write_list(file: io.TextIOBase, rows: Iterator[dict[str, Any]]) -> None:
    before = "["
    for row in rows:
        file.write(before + json.dumps(row))
        before = ", "
    file.write("]")


def read_naively(root: Path) -> int:
    """Parses both files and builds the dicts that the REFER tool builds."""
    folder = root / "refer" / "refcoco"
    with (folder / "refs(unc).p").open("rb") as file:
        refs = pickle.load(file)
    with (folder / "instances.json").open() as file:
        whole = json.load(file)
    anns, images, anns_of, refs_of, sents, ref_of_ann = {}, {}, {}, {}, {}, {}
    for ann in whole["annotations"]:
        anns[ann["id"]] = ann
        anns_of.setdefault(ann["image_id"], []).append(ann)
    for image in whole["images"]:
        images[image["id"]] = image
    for ref in refs:
        refs_of.setdefault(ref["image_id"], []).append(ref)
        ref_of_ann[ref["ann_id"]] = ref
        for sentence in ref["sentences"]:
            sents[sentence["sent_id"]] = sentence
    return len(sents)


def load(root: Path) -> str:
    """Loads the split."""
    from risbench.datasets import load_split

    split = load_split(SPLIT, root)
    return f"{split.counts.images:,} images, {split.counts.refs:,} refs, {len(split):,} expressions"


def walk(root: Path) -> str:
    """Loads the split and takes each sample, with its codes; nothing is decoded."""
    from risbench.datasets import load_split

    split = load_split(SPLIT, root)
    count = sum(len(samples) for samples in split.by_image())
    return f"{count:,} samples"


def walk_a_little(root: Path) -> str:
    """Takes the samples of some images of a loaded split again and again; the seconds of one expression."""
    from risbench.datasets import load_split

    split = load_split(SPLIT, root).first_images(WALKED)
    seconds = []
    for _ in range(5):
        fresh = replace(split)  # with nothing drawn yet
        began = time.process_time()
        for _ in fresh:
            pass
        seconds.append(time.process_time() - began)
    return f"{len(split) / min(seconds):,.0f} samples with their codes in a second of the processor"


PARTS: dict[str, Callable[[Path], Any]] = {
    "make": make_up, "naive": read_naively, "load": load, "walk": walk, "some": walk_a_little,
}  # fmt: skip


def measure(part: str, root: Path, *more: int) -> dict[str, Any]:
    """Does a part in a process of its own, whose largest memory is its own too; this process stays small."""
    command = [sys.executable, __file__, "--part", part, "--data-root", str(root), "--times", *map(str, more or (1,))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def _measured_here(part: str, root: Path, times: int) -> None:
    given = (root, times) if part == "make" else (root,)
    wall, processor = time.perf_counter(), time.process_time()
    found = PARTS[part](*given)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "processor": processor, "memory": memory, "found": str(found)}))


def _line(name: str, runs: list[dict[str, Any]]) -> str:
    wall = statistics.median(run["wall"] for run in runs)
    processor, memory = (min(run[key] for run in runs) for key in ("processor", "memory"))
    return f"{name:<26} {wall:7.2f} s {processor:7.2f} s {memory:7.0f} MB"


def _first(root: Path, cache: Path) -> dict[str, Any]:
    shutil.rmtree(cache, ignore_errors=True)
    return measure("load", root)


def _report(root: Path, times: int, repeats: int) -> None:
    files = [root / "refer/refcoco" / name for name in ("instances.json", "refs(unc).p")]
    if not all(file.exists() for file in files):
        measure("make", root, times)
        time.sleep(2.5)  # a file younger than that is hashed at every start
    with tempfile.TemporaryDirectory() as cache:
        os.environ["RISBENCH_CACHE"] = cache
        naive = [measure("naive", root) for _ in range(repeats)]
        first = [_first(root, Path(cache)) for _ in range(repeats)]
        kept = sum(path.stat().st_size for path in Path(cache).rglob("*.npz"))
        warm = [measure("load", root) for _ in range(2 * repeats)]
        walked = [measure("walk", root) for _ in range(repeats)]
        some = measure("some", root)
    sizes = [f"{file.name} {file.stat().st_size / 1e6:,.0f} MB" for file in files]
    print(f"made-up set: {first[0]['found']}; {', '.join(sizes)}, index {kept / 1e6:,.0f} MB")
    print(f"{'':<26} {'clock':>9} {'processor':>9} {'memory':>10}")
    print(_line("naively, as REFER", naive))
    print(_line("first load, and indexed", first))
    print(_line("warm load", warm))
    print(_line("warm load and a walk", walked))
    print(some["found"])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--times", type=int, default=1, metavar="N", help="the set N times; 7 are a million expressions"
    )
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="make the set here, or take the one that is here")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        _measured_here(given.part, given.data_root, given.times)
        return
    import risbench

    print(f"{described()}, load {os.getloadavg()[0]:.1f}; {Path(risbench.__file__).parents[1].name}")
    if given.data_root is not None:
        _report(given.data_root, given.times, given.repeats)
    else:
        with tempfile.TemporaryDirectory() as made:
            _report(Path(made), given.times, given.repeats)


if __name__ == "__main__":
    main()
