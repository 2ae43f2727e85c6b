"""What parts of a training cost on a GPU that have no benchmark of their own: stage 2, maps, IRN's parts, precision.

    python tests/bench/gpu_steps.py [--device cuda] [--tiny]

Full sizes with made-up weights; ``--tiny`` is a rehearsal. Prints a JSON line a part. A part that fails says so in its
line, and the others are measured all the same.
"""

# ruff: noqa: E402 - the made-up weights live with the tests, so the path comes first
from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from stage1_step import scorer_file

from tris_model import Stage1, preprocess, tokenize
from tris_model.clip.towers import Clip
from tris_model.config import STAGE1, STAGE2, Config
from tris_model.devices import autocast, computing, elapsed, pick, synchronize
from tris_model.irn.affinity import losses
from tris_model.irn.labels import confident
from tris_model.irn.masks import refine
from tris_model.irn.network import EdgeDisplacement
from tris_model.irn.trunks import FiveDepthResNet
from tris_model.network.stage2 import Stage2
from tris_model.train.loop.optimiser import Rates, adamw, freeze_unused
from tris_model.train.losses import segmentation
from tris_model.train.maps import _chunk
from tris_model.train.scorers import FrozenScorer, TowerScorer, scorer

Part = Iterator[dict[str, Any]]
TEXTS = ("left man", "the dog on the right", "red bus", "a small table", "hat", "the one near the wall", "blue")


def timed(work: Callable[[], object], device: torch.device, times: int, warm: int = 2) -> dict[str, Any]:
    """Median, least and most seconds of a work, after it was warmed up, and the GPU's peak memory in MiB."""
    for _ in range(warm):
        work()
    synchronize(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(elapsed(start, device))
    memory = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
    return {
        "seconds": statistics.median(found),
        "least": min(found),
        "most": max(found),
        "peak_mib": None if memory is None else round(memory),
    }


def sizes(tiny: bool, stage: int) -> Config:
    """The paper's network, or a tiny one."""
    full = STAGE1 if stage == 1 else STAGE2
    if not tiny:
        return full
    small = replace(
        full, image_size=32, stride=8, depth=(1, 1, 1, 1), width=4, pool_grid=4, context=20, text_width=16,
        text_depth=1, text_heads=2, embed=12,
    )  # fmt: skip
    return replace(small, hidden=8) if stage == 1 else replace(small, decoder=4)


def stage2(device: torch.device, tiny: bool) -> Part:
    """A step of stage 2 at the paper's batch of 48."""
    config, batch = sizes(tiny, 2), 2 if tiny else 48
    draw = torch.Generator(device).manual_seed(0)
    side = config.image_size
    images = torch.randn(batch, 3, side, side, generator=draw, device=device)
    wanted = torch.rand(batch, 1, side, side, generator=draw, device=device).round()
    tokens = tokenize([TEXTS[at % len(TEXTS)] for at in range(batch)], length=config.text_length).to(device)
    for precision, last in (("float32", False), ("tf32", False), ("bf16", True)):
        torch.manual_seed(0)
        network = Stage2(config).to(device).train()
        freeze_unused(network, temperature=False)
        layout = torch.channels_last if last else torch.contiguous_format
        network.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
        given = images.contiguous(memory_format=layout)
        optimiser = adamw(network, Rates(positions=5e-5), fused=device.type == "cuda")

        def step(
            network: Any = network, optimiser: Any = optimiser, given: Tensor = given, how: Any = precision
        ) -> None:
            optimiser.zero_grad(set_to_none=True)
            with autocast(how, device):
                logits = network(given, tokens)
            segmentation(tuple(one.float() for one in logits), wanted).backward()
            optimiser.step()

        with computing(precision):
            found = timed(step, device, 2 if tiny else 10, 3)
        yield {
            "precision": precision, "channels_last": last, "batch": batch, **found,
            "images_per_second": batch / found["seconds"],
        }  # fmt: skip
        del network, optimiser, step


def maps(device: torch.device, tiny: bool) -> Part:
    """Responses of 64 images to 7 texts each, and which map ViT-B/32 likes best for each of 3 objects an image."""
    config, count = sizes(tiny, 1), 2 if tiny else 64
    torch.manual_seed(0)
    network = Stage1(config).to(device).eval()
    if tiny:
        judge: Any = FrozenScorer(TowerScorer(Clip(config), device))
    else:
        with tempfile.TemporaryDirectory() as folder:
            judge = scorer(scorer_file(Path(folder)), device)
    refs: Any = SimpleNamespace(refs=[SimpleNamespace(texts=some) for some in (TEXTS[:3], TEXTS[3:5], TEXTS[5:])])
    pixels = torch.randn(count, 3, config.image_size, config.image_size, device=device)
    for name, chosen_by in (("maps", None), ("maps and PRMS", judge)):
        found = {}
        with computing("float32"):

            def work(chosen_by: Any = chosen_by, found: dict = found) -> None:
                found["maps"] = _chunk(network, chosen_by, pixels, [[0, 1, 2]] * count, refs, False)

            took = timed(work, device, 3, 1)
            first = found["maps"]
            work()
        same = all(np.array_equal(one, other) for one, other in zip(first, found["maps"], strict=True))
        yield {"what": name, "images": count, **took, "images_per_second": count / took["seconds"], "repeats": same}


def made_up(tiny: bool) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a bright square, and a heat round it."""
    height, width = (64, 80) if tiny else (480, 640)
    draw = np.random.default_rng(0)
    image = draw.integers(0, 120, (height, width, 3)).astype(np.uint8)
    image[height // 4 : height // 2, width // 4 : width // 2] += 100
    y, x = np.mgrid[:height, :width]
    heat = np.exp(-(((y - 0.375 * height) / height) ** 2 + ((x - 0.375 * width) / width) ** 2) * 40)
    return image, (heat / heat.max()).astype(np.float32)


def irn_labels(device: torch.device, tiny: bool) -> Part:
    """Sure pixels of one heat, with the dense CRF on the device."""
    image, heat = made_up(tiny)
    found = []
    work = lambda: found.append(confident(image, heat, engine="torch", device=device))  # noqa: E731
    took = timed(work, device, 3, 1)
    yield {**took, "images_per_second": 1 / took["seconds"], "repeats": np.array_equal(found[0], found[-1])}


def irn_step(device: torch.device, tiny: bool) -> Part:
    """A step of IRN at batch 24 and crop 512."""
    batch, crop = (2, 64) if tiny else (24, 512)
    draw = torch.Generator(device).manual_seed(0)
    images = torch.randn(batch, 3, crop, crop, generator=draw, device=device)
    labels = torch.randint(0, 2, (batch, crop // 4, crop // 4), generator=draw, device=device).to(torch.uint8)
    for precision in ("float32", "tf32", "bf16"):
        torch.manual_seed(0)
        network = EdgeDisplacement(FiveDepthResNet(None), 8 if tiny else 64).to(device).train()
        heads = [value for name, value in network.named_parameters() if not name.startswith("trunk.")]
        optimiser = torch.optim.SGD(heads, lr=1e-3)

        def step(network: Any = network, optimiser: Any = optimiser, how: Any = precision) -> None:
            with autocast(how, device):
                features = network.encode_image(images)
            terms = losses(network.edges(features), network.displacements(features), labels, 5 if tiny else 10)
            optimiser.zero_grad()
            terms.total.backward()
            optimiser.step()

        with computing(precision):
            found = timed(step, device, 1 if tiny else 5, 1 if tiny else 2)
        yield {"precision": precision, "batch": batch, "crop": crop, **found}
        del network, optimiser, step


def irn_walk(device: torch.device, tiny: bool) -> Part:
    """A heat that walks over one image: the network, the parts, the transition, 256 steps."""
    torch.manual_seed(0)
    network = EdgeDisplacement(FiveDepthResNet(None), 8 if tiny else 64).to(device).eval()
    image, heat = made_up(tiny)
    found = []
    took = timed(lambda: found.append(refine(image, heat, network)), device, 2, 1)
    apart = float(np.abs(found[0] - found[-1]).max())
    yield {**took, "images_per_second": 1 / took["seconds"], "largest_difference_of_two": apart}


@torch.inference_mode()
def precision(device: torch.device, tiny: bool) -> Part:
    """How far the raw response of stage 1 is from that of a CPU in float32, as a part of its largest value."""
    torch.manual_seed(0)
    network = Stage1(sizes(tiny, 1)).eval()
    images = torch.stack([preprocess(made_up(tiny)[0], network.config.image_size)] * 2)
    tokens = tokenize(list(TEXTS), length=network.config.text_length)
    exact = network.respond(images, tokens)
    network, images, tokens = network.to(device), images.to(device), tokens.to(device)
    for name in ("float32", "tf32", "bf16"):
        with computing(name), autocast(name, device):  # pyright: ignore[reportArgumentType]
            found = network.respond(images, tokens).float().cpu()
        yield {"precision": name, "largest_difference": float((found - exact).abs().max() / exact.abs().max())}


PARTS = (stage2, maps, irn_labels, irn_step, irn_walk, precision)


def main() -> int:
    """Measure all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes for a rehearsal")
    options = parser.parse_args()
    device, failed = pick(options.device), 0
    for part in PARTS:
        begun = time.perf_counter()
        try:
            for line in part(device, options.tiny):
                print(json.dumps({"part": part.__name__, **line}), flush=True)
        except Exception as error:  # a fault of one part must not cost the others
            failed += 1
            print(json.dumps({"part": part.__name__, "error": f"{type(error).__name__}: {error}"[:500]}), flush=True)
        print(json.dumps({"part": part.__name__, "took": round(time.perf_counter() - begun, 2)}), flush=True)
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
