"""Measure what a tiny CLIP with a vision transformer recognises, and where in the image.

    python tests/bench/vit.py FILE [--split shapes_val] [--images 60]

With true masks: of the objects of a scene, each shown alone, which does a text mean (chance: one of them)? By the class
token and by the mean of the patches. On whole scenes: is the maximum of the heat on the target (PointM), and what mean
IoU has its best threshold? By three heats: cosines of values (clip_sim), of patches after the last block, and the
relevance of the class token's attention (clip_gae).
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from baselines._clip.vit import VitClip, load_vit
from risbench.datasets.load import load_split
from risbench.masks import decode
from tris_model.clip.pixels import preprocess
from tris_model.clip.tokens import tokenize

THRESHOLDS = np.linspace(0.3, 0.9, 13)


def main() -> None:
    torch.set_num_threads(2)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--split", default="shapes_val")
    parser.add_argument("--images", type=int, default=60)
    args = parser.parse_args()
    report(load_vit(args.file), args.split, args.images)


def report(clip: VitClip, name: str, images: int) -> None:
    split = load_split(name).first_images(images)
    size = clip.config.image_size
    chosen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    points, overlaps = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    for samples in split.by_image():
        objects = split.objects(samples[0].image_id)
        image = preprocess(np.asarray(Image.open(samples[0].image_path).convert("RGB")), size)
        masks = np.stack([np.any([decode(part) for part in one.parts], axis=0) for one in objects])
        shown = F.interpolate(torch.from_numpy(masks.astype(np.float32))[None], (size, size), mode="area")[0]
        with torch.no_grad():
            tokens = clip.visual.blocks(clip.visual.embed(shown[:, None] * image))
            texts = F.normalize(clip.encode_text(tokenize([one.text for one in samples])), dim=1)
        for way, pooled in (("class", tokens[:, 0]), ("mean", tokens[:, 1:].mean(1))):
            cosines = texts @ F.normalize(clip.visual.summary(pooled), dim=1).T
            targets = [next(at for at, one in enumerate(objects) if one.parts == sample.parts) for sample in samples]
            for sample, row, target in zip(samples, cosines, targets, strict=True):
                for part in ("all", sample.tags["form"] + "*" * bool(sample.tags["ambiguous"])):
                    chosen[way][part].append(float(row.argmax() == target))
        for way, heats in ways(clip, image[None], texts).items():
            heats = F.interpolate(heats[:, None], masks.shape[1:], mode="bilinear")[:, 0]
            low, high = heats.amin((1, 2), keepdim=True), heats.amax((1, 2), keepdim=True)
            heats = ((heats - low) / (high - low).clamp(min=1e-12)).numpy()
            for sample, heat, target in zip(samples, heats, targets, strict=True):
                truth = masks[target]
                for part in ("all", sample.tags["form"] + "*" * bool(sample.tags["ambiguous"])):
                    points[way][part].append(float(truth.flat[heat.argmax()]))
                cut = heat[None] > THRESHOLDS[:, None, None]
                overlaps[way].append((cut & truth).sum((1, 2)) / (cut | truth).sum((1, 2)))
    for title, table in (("which, under true masks", chosen), ("PointM", points)):
        for way, parts in table.items():
            shares = "  ".join(f"{part} {100 * np.mean(hits):.0f}" for part, hits in sorted(parts.items()))
            print(f"{title}, {way:8} {shares}")
    for way, each in overlaps.items():
        means = np.mean(each, axis=0)
        print(f"mIoU, {way:8} {100 * means.max():.1f} at {THRESHOLDS[means.argmax()]:.2f} ({len(each)} expressions)")


def ways(clip: VitClip, image: Tensor, texts: Tensor) -> dict[str, Tensor]:
    """Three heats ``(N, h, w)`` of an image ``(1, 3, S, S)``."""
    visual, block, grid = clip.visual, clip.visual.blocks[-1], clip.config.grid
    with torch.no_grad():
        before = visual.before_last(image)
        queries, keys, values = block.attn.split(block.ln_1(before))
        alone = before + block.attn.out_proj(values.transpose(1, 2).flatten(2))
        alone = (alone + block.mlp(block.ln_2(alone)))[0, 1:]
        after = block(before)[0, 1:]
        row = (queries[0, :, :1] @ keys[0].transpose(1, 2) * queries.shape[3] ** -0.5).softmax(2)
    rows = row.expand(len(texts), -1, -1, -1).clone().requires_grad_()
    first = before[:, 0] + block.attn.out_proj((rows @ values[0])[:, :, 0].flatten(1))
    first = visual.summary(first + block.mlp(block.ln_2(first)))
    (gradient,) = torch.autograd.grad((F.normalize(first, dim=1) * texts).sum(), rows)
    heats = {
        "values": texts @ F.normalize(visual.summary(alone), dim=1).T,
        "patches": texts @ F.normalize(visual.summary(after), dim=1).T,
        "gae": (gradient * row).relu().mean(1)[:, 0, 1:],
    }
    return {way: heat.detach().unflatten(1, (grid, grid)) for way, heat in heats.items()}


if __name__ == "__main__":
    main()
