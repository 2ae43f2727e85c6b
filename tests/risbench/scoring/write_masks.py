"""Saliency maps, one PNG an image, as one mask an expression: python write_masks.py SPLIT DATA_ROOT MAPS masks.jsonl"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from risbench import load_split
from risbench.masks import encode

split, data_root, maps, out = sys.argv[1:]
with Path(out).open("w") as file:
    for sample in load_split(split, data_root):
        heat = np.asarray(Image.open(Path(maps) / f"{sample.image_path.stem}.png")) / 255
        file.write(json.dumps({"id": sample.id, "segmentation": encode(heat > 0.5)}) + "\n")
