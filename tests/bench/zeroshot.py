"""What a tiny CLIP tells apart on unseen pictures of one object: ``python tests/bench/zeroshot.py CLIP``."""

from __future__ import annotations

import sys

import torch
import torch.nn.functional as F

from risbench.datasets.shapes import COLOURS, PATTERNS, SHAPES
from tris_model.clip.pixels import normalised
from tris_model.clip.tokens import tokenize
from tris_model.files.clip_file import load_clip
from tris_model.tiny_clip.pictures import pictures

ASKED = {
    "shape": ("the {}", SHAPES),
    "colour": ("{} shape", tuple(COLOURS)),
    "pattern": ("the {} shape", PATTERNS),
    "size": ("{} shape", ("small", "large")),
    "x": ("shape on the {}", ("left", "right")),
    "y": ("{} shape", ("top", "bottom")),
    "extreme": ("the {} shape", ("leftmost", "rightmost")),
}


@torch.inference_mode()
def main(path: str) -> None:
    clip = load_clip(path).eval()
    drawn = pictures("objects", 400, 5_000_000, clip.config.image_size)
    things = [some[0] for some in drawn.things]
    image_features = F.normalize(clip.encode_image(normalised(drawn.images, torch.device("cpu"))), dim=1)
    for name, (template, words) in ASKED.items():
        texts = [template.format(word) for word in words]
        best = (image_features @ F.normalize(clip.encode_text(tokenize(texts)), dim=1).T).argmax(1).tolist()
        hits = []
        for thing, guess in zip(things, best, strict=True):
            if name in ("x", "y", "extreme"):
                at = thing.y if name == "y" else thing.x
                truth = None if 0.42 < at < 0.58 else words[at > 0.5]
            else:
                truth = getattr(thing, name)
            if truth in words:
                hits.append(words[guess] == truth)
        print(f"{name:8} {100 * sum(hits) / len(hits):5.1f} % of {len(hits)}, chance {100 / len(words):.0f} %")


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(sys.argv[1])
