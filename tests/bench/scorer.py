"""If the mask were perfect, would the scorer pick the right object? By form of expression.

    python tests/bench/scorer.py CLIP [--split shapes_val] [--images 150]

For every expression each object of its picture is masked with its true mask, and the scorer's favourite is compared
with the target. TRIS cannot learn what its scorer cannot see, so this comes before any training of TRIS.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from risbench.datasets.load import load_split
from risbench.masks import decode
from tris_model.clip.pixels import preprocess
from tris_model.clip.tokens import tokenize
from tris_model.files.clip_file import load_clip


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("--split", default="shapes_val")
    parser.add_argument("--images", type=int, default=150)
    args = parser.parse_args()
    torch.set_num_threads(2)
    clip = load_clip(args.clip).eval()  # BatchNorm as it was learned
    split = load_split(args.split).first_images(args.images)
    size = clip.config.image_size
    hits, own, other = defaultdict(list), [], []
    for samples in split.by_image():
        objects = split.objects(samples[0].image_id)
        image = preprocess(np.asarray(Image.open(samples[0].image_path).convert("RGB")), size)
        masks = torch.stack([_mask(one.parts, size) for one in objects])
        image_features = F.normalize(clip.encode_image(masks[:, None] * image), dim=1)
        read = F.normalize(clip.encode_text(tokenize([one.text for one in samples])), dim=1)
        cosines = read @ image_features.T
        for sample, row in zip(samples, cosines, strict=True):
            target = next(at for at, one in enumerate(objects) if one.box == sample.box and one.parts == sample.parts)
            hit = float(row.argmax() == target)
            star = "*" if sample.tags["ambiguous"] else ""
            hits[sample.tags["form"] + star].append(hit)
            hits["all"].append(hit)
            hits["chance"].append(1 / len(objects))
            own.append(float(row[target]))
            other += [float(value) for at, value in enumerate(row) if at != target]
    for name in sorted(hits):
        print(f"{name:12} {100 * np.mean(hits[name]):5.1f} %  of {len(hits[name])}")
    print(f"cosine with the target {np.mean(own):.3f}, with others {np.mean(other):.3f}")


def _mask(parts, size: int) -> torch.Tensor:
    mask = np.any([decode(part) for part in parts], axis=0).astype(np.float32)
    return F.interpolate(torch.from_numpy(mask)[None, None], (size, size), mode="bilinear", antialias=True)[0, 0]


if __name__ == "__main__":
    main()
