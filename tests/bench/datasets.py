"""How long a set of RefCOCO's size takes to load: cold, warm, and read naively as the REFER tool reads it.

Run by ``python tests/bench/datasets.py``. The set is made up: 20,000 images, 50,000 refs, 142,000 expressions, 200,000
annotations with 48 numbers each on average (RefCOCO's own file has about as many, and near 190 MB).
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

IMAGES, REFS, EXPRESSIONS, ANNOTATIONS = 20_000, 50_000, 142_000, 200_000


def make_up(root: Path) -> None:
    """Writes the set below a data root."""
    dice = random.Random(0)
    folder = root / "refer" / "refcoco"
    folder.mkdir(parents=True)
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
    categories = [{"id": n + 1, "name": f"class {n}", "supercategory": "made up"} for n in range(80)]
    whole = {"images": images, "annotations": annotations, "categories": categories, "info": {}, "licenses": []}
    (folder / "instances.json").write_text(json.dumps(whole))
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
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))


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


def _seconds(act, *given) -> float:
    began = time.perf_counter()
    act(*given)
    return time.perf_counter() - began


def main() -> None:
    """Prints the table."""
    from risbench.datasets import load_split
    from risbench.datasets.annotations import index

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        os.environ["RISBENCH_CACHE"] = str(root / "cache")
        make_up(root)
        time.sleep(2.5)  # a file younger than that is hashed at every start
        megabytes = (root / "refer/refcoco/instances.json").stat().st_size / 1e6
        naive = statistics.median(_seconds(read_naively, root) for _ in range(3))

        def cold() -> float:
            for kept in (root / "cache").rglob("*.*"):
                kept.unlink()
            return _seconds(load_split, "refcoco_train", root)

        first = statistics.median(cold() for _ in range(3))
        warm = [_seconds(load_split, "refcoco_train", root) for _ in range(7)]
        split = load_split("refcoco_train", root)
        kept = index.index_path("refer", split.sources).stat().st_size / 1e6
        counts = f"{split.counts.images:,} images, {split.counts.refs:,} refs, {len(split):,} expressions"
        print(f"made-up set: {counts}, {len(split.table.ann_id):,} annotations")
        print(f"instances.json {megabytes:.0f} MB, index {kept:.0f} MB")
        print(f"naive, as REFER   {naive:6.2f} s   1.00")
        print(f"cold, and indexed {first:6.2f} s   {first / naive:.2f}")
        print(f"warm              {statistics.median(warm):6.2f} s   {statistics.median(warm) / naive:.3f}")
        some = split.first_images(500)
        seconds = _seconds(lambda: [None for _ in some])
        print(f"samples with their masks: {len(some) / seconds:,.0f} a second ({len(some):,} of them)")


if __name__ == "__main__":
    main()
