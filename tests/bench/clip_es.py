"""CLIP-ES at the size of ViT-B/16, made-up weights: all texts of an image at once against one at a time, and memory.

    python tests/bench/clip_es.py [--images 2] [--threads 2] [--only speed|memory|gradients]

Speed is on noise of 480 x 640 with seven texts; both forms answer an image in turn, and the ratio is of sums. Memory is
the peak of a process of its own for each size, and what of it the image took. The gradients are the three
ways to differentiate one block for several texts. Nothing is said about quality.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import described

TEXTS = (
    "the man on the far left", "brown dog next to the table", "woman in a red dress that looks at the camera",
    "umbrella", "the zebra behind the other one", "kid with a kite", "second bus from the right",
)  # fmt: skip
SIZES = ((224, 224), (480, 640), (800, 800))


def built(folder: Path):
    """The method with made-up weights of OpenAI's ViT-B/16."""
    import torch

    from baselines._clip.vit import VitClip, VitConfig
    from baselines.clip_es import make

    torch.manual_seed(0)
    path = folder / "ViT-B-16.pt"
    torch.save(VitClip(VitConfig()).half().state_dict(), path)
    return make(weights=str(path))


def noise(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """An image."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def used(work: Callable[[], object]) -> float:
    """Processor seconds of one call, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(images: int) -> None:
    """Expressions a second, both ways."""
    with tempfile.TemporaryDirectory() as folder:
        method = built(Path(folder))
    method.predict(noise((224, 224)), TEXTS[:1])
    together = alone = busy = apart = 0.0
    for seed in range(images):
        image = noise((480, 640), seed)
        start = time.process_time()
        together += timed(lambda image=image: method.predict(image, TEXTS))
        turn = time.process_time()
        alone += sum(timed(lambda image=image, text=text: method.predict(image, [text])) for text in TEXTS)
        busy, apart = busy + turn - start, apart + time.process_time() - turn
    count = images * len(TEXTS)
    print(
        f"480 x 640, {len(TEXTS)} texts: {count / together:.2f} expressions/s at once ({together / images:.1f} s an "
        f"image), {count / alone:.2f} one at a time, ratio {alone / together:.1f} "
        f"({apart / busy:.1f} of processor seconds, {busy / images:.1f} an image)"
    )


def resident(what: str) -> float:
    """MiB of this process, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(what)).split()[1]) / 2**10


def memory(size: tuple[int, int]) -> None:
    """Peak memory of an image of a size with seven texts, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        method = built(Path(folder))
    method.predict(noise((32, 32)), TEXTS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of loading is none of the image's (Linux)
    held = resident("VmRSS")
    method.predict(noise(size), TEXTS)
    peak = resident("VmHWM")
    tokens = -(-size[0] // 16) * -(-size[1] // 16) + 1
    heads = 8 * 12 * tokens**2 * 4 / 2**20
    print(
        f"{size[0]} x {size[1]}: peak {peak:,.0f} MiB, {peak - held:,.0f} above what was held before; a "
        f"table has {tokens**2 * 4 / 2**20:,.0f} MiB, all heads of eight layers would have {heads:,.0f}"
    )


def gradients() -> None:
    """Processor seconds to differentiate the last block for seven texts: one after another, batched, in copies."""
    import torch

    from baselines._clip.vit import VisionTransformer, VitConfig

    torch.manual_seed(0)
    visual = VisionTransformer(VitConfig()).eval().requires_grad_(False)
    block, wanted = visual.blocks[-1], torch.randn(len(TEXTS), 512)

    def tail(moved: torch.Tensor, attend: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        x = tokens + attend(moved)
        return visual.summary((x + block.mlp(block.ln_2(x)))[:, 1:]).mean(1)

    def explicit(x: torch.Tensor) -> torch.Tensor:
        q, k, v = block.attn.split(x)
        return block.attn.out_proj(((q @ k.mT * q.shape[3] ** -0.5).softmax(3) @ v).transpose(1, 2).flatten(2))

    def one_by_one() -> None:
        shift = torch.zeros(768, requires_grad=True)
        features = tail(torch.cat([y[:, :1], y[:, 1:] + shift], 1), block.attn)[0]
        for one in wanted:
            torch.autograd.grad(features, shift, one, retain_graph=True)

    def batched() -> None:
        shift = torch.zeros(768, requires_grad=True)
        features = tail(torch.cat([y[:, :1], y[:, 1:] + shift], 1), explicit)[0]
        torch.autograd.grad(features, shift, wanted, is_grads_batched=True)

    def copies() -> None:
        shift = torch.zeros(len(wanted), 1, 768, requires_grad=True)
        many = y.expand(len(wanted), -1, -1)
        features = tail(torch.cat([many[:, :1], many[:, 1:] + shift], 1), block.attn)
        torch.autograd.grad((features * wanted).sum(), shift)

    for down, across in ((14, 14), (30, 40)):
        tokens = torch.randn(1, 1 + down * across, 768)
        y = block.ln_1(tokens)
        # Seconds of the processor, which a busy machine lengthens less than those of the clock.
        found = {work.__name__: min(used(work) for _ in range(3)) for work in (one_by_one, batched, copies)}
        print(f"{down} x {across} patches: " + ", ".join(f"{name} {took:.2f} s" for name, took in found.items()))


def main() -> None:
    """All three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["speed", "memory", "gradients"])
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    if given.size:
        memory((given.size[0], given.size[1]))
        return
    print(f"{described()}, {given.threads} threads", flush=True)
    if given.only in (None, "memory"):
        for size in SIZES:
            subprocess.run([sys.executable, __file__, "--size", *map(str, size)], check=True)
    if given.only in (None, "gradients"):
        gradients()
    if given.only in (None, "speed"):
        speed(given.images)


if __name__ == "__main__":
    main()
