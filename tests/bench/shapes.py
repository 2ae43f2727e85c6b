"""Writes all three drawn splits and prints seconds, size, digest and proportions: ``python tests/bench/shapes.py``."""

import collections
import hashlib
import json
import pickle
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from risbench.datasets.shapes import SPLITS, write_split
from risbench.masks import decode

# Whole splits of version 1, as `digest` makes them (numpy 2.4, x86_64). The tests hold those of the first 50 scenes.
FROZEN = {
    "train": "84565f15e76353ce91e0aabcf1da86d3394f4221579565d444543d4760887bb8",
    "val": "5df5651903e633524dcfa4d8559a4dfc4443cc871f44649e66ada47638a27b3b",
    "test": "0877474ee323869c90be5e01e81a78bb21ec248e423b482f4c8907353ecc39e1",
}


def digest(folder: Path) -> str:
    """Of the decoded pixels and of everything written about them."""
    sha = hashlib.sha256()
    instances = json.loads((folder / "instances.json").read_text())
    for image in instances["images"]:
        sha.update(np.asarray(Image.open(folder / "images" / image["file_name"])).tobytes())
    refs = pickle.loads((folder / "refs(drawn).p").read_bytes())
    sha.update(json.dumps([instances, refs], sort_keys=True).encode())
    return sha.hexdigest()


def describe(folder: Path) -> dict[str, object]:
    """Counts, proportions of forms, and what the class alone is worth (mIoU of the class, chance within it)."""
    instances = json.loads((folder / "instances.json").read_text())
    refs = pickle.loads((folder / "refs(drawn).p").read_bytes())
    of_image = collections.defaultdict(list)
    for annotation in instances["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    forms, ambiguous, overlap, chance = collections.Counter(), 0, [], []
    for ref in refs:
        same = [one for one in of_image[ref["image_id"]] if one["category_id"] == ref["category_id"]]
        union = np.any([decode(one["segmentation"]) for one in same], axis=0).sum()
        target = next(one for one in same if one["id"] == ref["ann_id"])
        for sentence in ref["sentences"]:
            forms[sentence["form"]] += 1
            ambiguous += sentence["ambiguous"]
            overlap.append(target["area"] / union)
            chance.append(1 / len(same))
    total = forms.total()
    return {
        "images": len(instances["images"]),
        "refs": len(refs),
        "sentences": total,
        "forms": {form: round(number / total, 3) for form, number in sorted(forms.items())},
        "ambiguous": round(ambiguous / total, 3),
        "oracle_class mIoU": round(float(np.mean(overlap)), 4),
        "random_same_class expected PointM": round(float(np.mean(chance)), 4),
        "megabytes": round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6, 1),
    }


if __name__ == "__main__":
    print(platform.machine(), platform.python_version(), "numpy", np.__version__)
    with tempfile.TemporaryDirectory() as root:
        for split in SPLITS:
            start = time.perf_counter()
            folder = write_split(split, root, lambda done, total: done % 500 or print(done, total, file=sys.stderr))
            seconds, found = time.perf_counter() - start, digest(folder)
            same = "as frozen" if found == FROZEN[split] else "NOT AS FROZEN"
            print(split, f"{seconds:.1f} s", found, same, describe(folder), flush=True)
