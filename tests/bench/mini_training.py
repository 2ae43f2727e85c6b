"""The true path on real photographs: RN50, ViT-B/32, ResNet-50, all with made-up weights, two epochs, every stage.

    python tests/bench/mini_training.py DATA [--split refcoco_val] [--batch 48] [--out DIR] [--device cpu]

It shows that data, negatives, maps, IRN and stage 2 fit together at their true sizes, and what each takes; weights that
mean nothing make scores that mean nothing. DATA is a data root, such as the tiny copy `refcoco-mini`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import described

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.weight_recipe import made_up

from tris_model.clip.towers import Clip
from tris_model.config import STAGE1
from tris_model.irn.masks import read_mask
from tris_model.train import tris
from tris_model.train.maps import read_maps


def filled(shapes: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Made-up weights under these keys, in half precision as OpenAI's files are."""
    state = {key: torch.from_numpy(made_up(key, tuple(value.shape))) for key, value in shapes.items()}
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def checkpoints(folder: Path) -> tuple[Path, Path, Path]:
    """RN50, ViT-B/32 and ImageNet's ResNet-50 under their true keys and sizes."""
    from open_clip.model import CLIP
    from torchvision.models import resnet50

    with torch.device("meta"):
        vit = CLIP(512, {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}, {"context_length": 77})  # pyright: ignore
        states = {"RN50.pt": Clip(STAGE1), "ViT-B-32.pt": vit, "resnet50.pth": resnet50(weights=None)}
    for name, network in states.items():
        torch.save(filled(network.state_dict()), folder / name)
    return folder / "RN50.pt", folder / "ViT-B-32.pt", folder / "resnet50.pth"


def main() -> None:
    """Train, part by part, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="refcoco_val")
    parser.add_argument("--batch", default="48")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(f"{described()}, {torch.get_num_threads()} threads, {options.device}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        clip, scorer, resnet = checkpoints(Path(scratch))
        print(f"made-up weights {time.perf_counter() - begun:8.1f} s", flush=True)
        out = options.out or Path(scratch) / "out"
        given = {
            "clip": str(clip), "scorer": str(scorer), "pseudo.imagenet": str(resnet), "split": options.split,
            "val": options.split, "stage1.epochs": "2", "stage2.epochs": "2", "stage1.select": "last",
            "stage2.select": "last", "stage1.batch": options.batch, "stage2.batch": options.batch,
            "pseudo.train.batch": options.batch,
            # At the true rates a few steps from weights that mean nothing silence all maps, and nothing would walk.
            "stage1.rates.heads": "1e-7", "stage1.rates.backbone": "1e-8",
        }  # fmt: skip
        for stage in tris.STAGES:
            begun = time.perf_counter()
            tris.train("refcoco", out=out, device=options.device, stage=stage, data_root=options.data, **given)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"stage {stage:8s} {time.perf_counter() - begun:8.1f} s, at most {peak:.1f} GiB so far", flush=True)
        for folder in ("stage1", "pseudo", "stage2"):
            lines = [json.loads(line) for line in (out / folder / "log.jsonl").read_text().splitlines()]
            losses = [line.get("loss", line.get("total")) for line in lines]
            print(f"{folder}: {len(losses)} steps, losses {losses}")
        response = read_maps(out / "maps").response
        masks = sorted((out / "pseudo" / "masks").iterdir())
        full = sum(read_mask(path.parent, path.stem).any() for path in masks)
        print(f"{(response > 0).any((1, 2)).sum()} of {len(response)} maps respond, {full} masks are not empty")


if __name__ == "__main__":
    main()
