"""A small data set with images on disk, in REFER's layout: enough of everything to run and to score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.annotations import CATEGORIES, annotation, code_of, image, ref, sentence, write_refer
from PIL import Image

from risbench import Split, load_split


def write_small(root: Path, images: int = 8, seed: int = 0) -> Path:
    """Images of several sizes with two objects (some with one), two to four expressions; all are in ``refcoco_val``."""
    generator = np.random.default_rng(seed)
    entries, anns, refs = [], [], []
    folder = root / "train2014"
    folder.mkdir(parents=True, exist_ok=True)
    sent_id = 1000
    for number in range(1, images + 1):
        size = (24 + 4 * (number % 3), 40 - 3 * (number % 4))
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        entry = image(number, size, f"{number}.png")
        Image.fromarray(pixels).save(folder / entry["file_name"])
        entries.append(entry)
        for which in (0, 1) if number % 5 != 3 else (0,):
            x, y = int(generator.integers(0, 8)) + 12 * which, int(generator.integers(0, 8))
            mask = np.zeros(size, bool)
            mask[y : y + 12, x : x + 9] = generator.random((12, 9)) < 0.9
            ident = 10 * number + which
            anns.append(annotation(ident, number, [x, y, 9, 12], code_of(mask), 1 + which))
            count = 2 if which == 0 else 1 + number % 2
            texts = [f"{('left', 'right')[which]} thing {number} said {n}" for n in range(count)]
            # Sentence numbers fall while the files go on, so that no order can be had by sorting.
            sentences = [sentence(sent_id - n, text) for n, text in enumerate(texts)]
            sent_id -= count
            refs.append(ref(5000 - ident, ident, number, "val", sentences))
    # The refs of an image do not follow one another.
    refs = refs[::2] + refs[1::2]
    instances = {
        "images": entries,
        "annotations": anns,
        "categories": CATEGORIES,
    }
    return write_refer(root, instances, refs)


def small_split(root: Path, images: int = 8) -> Split:
    """The split, written and loaded."""
    return load_split("refcoco_val", write_small(root, images))
