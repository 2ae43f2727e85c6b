"""How long is a step of stage 1 at full size, and how many times as fast as one written the way the authors write it?

    python tests/bench/stage1_step.py [--batch 48] [--negatives 6] [--steps 10] [--device auto] [--precision auto]

RN50 at 320 pixels with ViT-B/32 as scorer, weights, images and texts made up: towers, losses, backward pass and
optimiser, without what loaders do beside the steps (images, tokens). Every step brings new texts, so that nothing of
them is remembered. The other
side is a plain float32 step: every image's negatives read in a loop, the scorer's weights with gradients, no
channels_last, no fused optimiser. On a CPU the two take turns, so that what else the machine does falls on both;
on a GPU one follows the other, so that each has its own memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from machine import described
from torch import Tensor

from tris_model import Stage1, tokenize
from tris_model.devices import computing, elapsed, pick, synchronize
from tris_model.inference.prms import ClipScorer
from tris_model.train.loop.optimiser import Rates, adamw, freeze_unused
from tris_model.train.objective import Objective, Weights
from tris_model.train.scorers import FrozenScorer, frozen

REFS, EPOCHS = 44_822, 15  # of RefCOCOg, Google's split, as spec/tris.md counts them
WORDS = ("man", "dog", "red", "blue", "left", "right", "top", "small", "bus", "table", "hat", "near", "the", "on", "of")
Step = Callable[["Batch"], object]


class Batch:
    """What a step is given: images ``(B, 3, 320, 320)``, a text for each and K more."""

    def __init__(self, number: int, size: int, negatives: int, device: torch.device):
        draw = np.random.default_rng(number)
        texts = [" ".join(draw.choice(WORDS, int(draw.integers(2, 12)))) for _ in range(size * (1 + negatives))]
        self.texts, self.others = texts[:size], texts[size:]
        self.tokens, self.other_tokens = tokenize(self.texts), tokenize(self.others)
        generator = torch.Generator(device).manual_seed(number)
        self.images = torch.randn(size, 3, 320, 320, generator=generator, device=device)


def scorer_file(folder: Path) -> Path:
    """ViT-B/32 in OpenAI's layout with drawn weights."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    network = CLIP(512, vision, {"context_length": 77}, quick_gelu=True)  # pyright: ignore[reportArgumentType]
    torch.save({key: value.half() for key, value in network.state_dict().items()}, folder / "vit.pt")
    return folder / "vit.pt"


def ours(args: argparse.Namespace, scorer: Path, device: torch.device) -> Step:
    """As `tris_model.train.stage1` does it."""
    torch.manual_seed(0)
    network = Stage1().to(device).train()
    freeze_unused(network, temperature=False)
    clip = ClipScorer(scorer, device)
    frozen(clip._clip)
    judge = FrozenScorer(clip)
    objective: Any = Objective(network, judge, Weights())
    if args.compile:
        objective = torch.compile(objective)
    bf16 = args.precision == "bf16" or (args.precision == "auto" and device.type == "cuda")
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    network.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    optimiser = adamw(network, Rates(), fused=device.type == "cuda")

    def step(batch: Batch) -> None:
        tokens = batch.tokens.to(device)
        with torch.no_grad():  # what the training's table of texts does with texts that it has not seen
            rows = torch.cat([batch.tokens, batch.other_tokens]).to(device)
            features = F.normalize(clip._clip.encode_text(rows).float(), dim=1)
        text_features = features[: args.batch]
        other_features = features[args.batch :].unflatten(0, (args.batch, -1))
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
            terms = objective(batch.images.contiguous(memory_format=layout), tokens, text_features, other_features)
        terms["loss"].backward()
        optimiser.step()

    return step


def plain(args: argparse.Namespace, scorer: Path, device: torch.device) -> Step:
    """As one writes it from the paper, and as the authors' loop is built."""
    torch.manual_seed(0)
    network = Stage1().to(device).train()
    clip = ClipScorer(scorer, device)._clip.requires_grad_(True)
    heads = [weight for name, weight in network.named_parameters() if not name.startswith("backbone.")]
    groups = [{"params": network.backbone.parameters(), "lr": 5e-6}, {"params": heads, "lr": 5e-5}]
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-2)

    def resized(x: Tensor) -> Tensor:
        return F.interpolate(x, size=(224, 224), mode="bilinear", align_corners=True)

    def step(batch: Batch) -> None:
        scores, _, _, probability, _ = network(batch.images, batch.tokens.to(device))
        loss = 5 * F.multilabel_soft_margin_loss(scores, torch.eye(args.batch, device=device))
        image_features = clip.encode_image(resized(probability) * resized(batch.images))
        text_features = clip.encode_text(batch.tokens.to(device))
        loss = loss - torch.log(F.cosine_similarity(image_features, text_features).clamp(1e-4, 0.9999)).mean()
        negative = torch.zeros((), device=device)
        for at in range(args.batch):
            others = batch.other_tokens[at * args.negatives : (at + 1) * args.negatives]
            other_features = clip.encode_text(others.to(device))
            for one in other_features:
                negative = (
                    negative - torch.log(1 - F.cosine_similarity(image_features[at], one, dim=0)) / args.negatives
                )
        (loss + 2 * negative / args.batch).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def timed(step: Step, batch: Batch, device: torch.device) -> float:
    """Seconds of one step."""
    synchronize(device)
    start = time.perf_counter()
    step(batch)
    return elapsed(start, device)


def main() -> None:
    """Time both sides and print seconds, images per second, memory, projected hours and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, help="48 on a GPU, 4 on a CPU")
    parser.add_argument("--negatives", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "float32", "tf32", "bf16"), help="ours: bf16 on a GPU"
    )
    parser.add_argument("--only-ours", action="store_true", help="leave the plain side out")
    parser.add_argument("--compile", action="store_true", help="ours: by torch.compile, whose seconds are not counted")
    parser.add_argument("--json", action="store_true", help="print a JSON line for each side as well")
    args = parser.parse_args()
    device = pick(args.device)
    args.batch = args.batch or (48 if device.type == "cuda" else 4)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else f"torch on {torch.get_num_threads()} threads"
    print(f"{described()}; {gpu}, torch {torch.__version__}")
    makers = {"ours": ours} if args.only_ours else {"ours": ours, "plain": plain}
    exactly = {"ours": args.precision, "plain": "float32"}
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    memory: dict[str, float] = {}

    def batch(number: int) -> Batch:
        return Batch(number, args.batch, args.negatives, device)

    with tempfile.TemporaryDirectory() as folder:
        file = scorer_file(Path(folder))
        if device.type == "cuda":
            for name, make in makers.items():
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
                step = make(args, file, device)
                with computing(exactly[name]):
                    for number in range(3):
                        timed(step, batch(number), device)
                    torch.cuda.reset_peak_memory_stats(device)
                    seconds[name] = [timed(step, batch(3 + number), device) for number in range(args.steps)]
                memory[name] = torch.cuda.max_memory_allocated(device) / 2**30
                del step
        else:
            steps = {name: make(args, file, device) for name, make in makers.items()}
            for number in range(args.steps + 1):
                for name, step in steps.items():
                    seconds[name].append(timed(step, batch(number), device))
            seconds = {name: some[1:] for name, some in seconds.items()}  # the first of each is warming up
    for name, some in seconds.items():
        middle = statistics.median(some)
        speed = args.batch / middle
        hours = REFS * EPOCHS / speed / 3600
        used = f"{memory[name]:.1f} GiB, " if name in memory else ""
        reach = f"{1000 * min(some):.1f} to {1000 * max(some):.1f}"
        print(
            f"{name:6} {1000 * middle:9.1f} ms a step of {args.batch} ({reach}), {speed:8.2f} images/s, "
            f"{used}{hours:.1f} h for {EPOCHS} epochs of RefCOCOg"
        )
        if args.json:
            line = {
                "side": name, "precision": exactly[name], "batch": args.batch, "negatives": args.negatives,
                "seconds": middle, "images_per_second": speed, "peak_gib": memory.get(name),
            }  # fmt: skip
            print(json.dumps(line), flush=True)
    if args.only_ours:
        return
    middle = {name: statistics.median(some) for name, some in seconds.items()}
    print(f"ratio  {middle['plain'] / middle['ours']:.2f}")


if __name__ == "__main__":
    main()
