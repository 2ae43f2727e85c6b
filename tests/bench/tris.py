"""How many times the expressions per second of the authors' procedure?

    python tests/bench/tris.py [--images 40] [--threads 2] [--post risbench|naive|none] [--precision auto]
        [--processor]

Full RN50 size, made-up weights, drawn pictures at 427 x 640. Both sides answer the same images in turn, so that what
else the machine does falls on both; the ratio is of sums. Ours gets as many images in a call as a run gives it
(``method.batch``); they are counted with the texts that were encoded together. Weights are made up, so tell nothing
about quality. Every text is new to our side, although a split repeats some. On a busy machine take ``--processor
--threads 1``; to compare with an older tree, put it first in PYTHONPATH.

Compilers were tried once for the trunk (2026-11-27, one thread of an Intel Xeon with AMX, torch 2.15, milliseconds of
processor, other work beside it): as written 232, ``torch.jit.optimize_for_inference`` of the frozen trace 270,
``torch.compile`` with freezing 208 after 141 s of compiling by the clock; folded and packed as here 153, with
Winograd's convolutions 129, in bfloat16 33. So no compiler is used.
"""

# ruff: noqa: E402 - the made-up weights live with the tests, so the path comes first
from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import naive_tris
from helpers.weight_recipe import built
from naive_tris import Truth

from risbench.records import Box, Prediction, Sample
from tris_model import load, preprocess, save, tokenize
from tris_model.config import STAGE1, STAGE2
from tris_model.inference.predictor import Tris
from tris_model.inference.remembered import RememberedTexts
from tris_model.network.stage1 import Stage1

SIZE = (427, 640)
THINGS = (  # of one picture and of the next ones, so that the pictures of a call have no text in common
    ("man", "woman in a dress", "brown dog", "umbrella", "zebra", "pizza slice", "bus", "kid with a kite"),
    ("woman", "man in a suit", "black dog", "suitcase", "giraffe", "cake slice", "truck", "kid with a bat"),
    ("boy", "girl in a coat", "white cat", "backpack", "elephant", "tall glass", "car", "man with a phone"),
    ("girl", "boy in a cap", "grey cat", "chair", "cow", "donut", "train", "lady with a bag"),
    ("guy", "lady in a hat", "small bird", "couch", "horse", "sandwich half", "boat", "man with a board"),
    ("lady", "player in a helmet", "big bear", "bench", "sheep", "apple piece", "bike", "kid with a ball"),
    ("player", "guy in a shirt", "yellow duck", "bottle", "dog", "orange half", "plane", "girl with a cup"),
    ("child", "kid in a jacket", "spotted cow", "laptop", "cat", "carrot piece", "motorcycle", "boy with a racket"),
)
FORMS = ("the {} on the far left", "{}", "{} next to the table", "the {} that is looking at the camera", "right {}")
Post = Callable[[Sample, np.ndarray, Truth], None]


def scene(number: int) -> tuple[np.ndarray, Truth]:
    """A picture with ellipses on noise, and one of them as truth."""
    draw = np.random.default_rng(number)
    picture = Image.fromarray(draw.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(picture)
    x, y, width, height = 0, 0, 1, 1
    for _ in range(12):
        x, y = int(draw.integers(0, 500)), int(draw.integers(0, 300))
        width, height = int(draw.integers(40, 140)), int(draw.integers(40, 120))
        pen.ellipse((x, y, x + width, y + height), fill=tuple(int(c) for c in draw.integers(0, 256, 3)))
    mask = Image.new("L", SIZE[::-1])
    ImageDraw.Draw(mask).ellipse((x, y, x + width, y + height), fill=1)
    return np.array(picture), Truth(np.array(mask), (x, y, x + width, y + height))


def expressions(number: int, count: int) -> list[str]:
    """Different texts of 3 to 12 tokens, as an image's are."""
    draw = np.random.default_rng(1000 + number)
    things = THINGS[number % len(THINGS)]
    pairs = draw.permutation(len(things) * len(FORMS))[:count]
    return [FORMS[pair % len(FORMS)].format(things[pair // len(FORMS)]) for pair in pairs]


def sample(number: int, place: int, text: str, truth: Truth) -> Sample:
    """The record that risbench's scorer takes."""
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(truth.mask))
    counts = code["counts"]
    rle = {"size": list(SIZE), "counts": counts.decode() if isinstance(counts, bytes) else counts}
    name = f"bench/{number}/{place}"
    return Sample(name, number, number, place, Path("none"), SIZE, text, Box(*map(float, truth.box)), (rle,))  # pyright: ignore


def post(kind: str) -> tuple[str, Post]:
    """Our side's scoring: the toolkit's where it is there, else the naive one, which flatters nobody."""
    if kind in ("risbench", "auto"):
        try:
            from risbench import Scorer  # pyright: ignore

            scorer = Scorer("tris")
            return "risbench.Scorer('tris')", lambda one, heat, _: scorer.add(one, Prediction(heat=heat))
        except (ImportError, AttributeError):
            if kind == "risbench":
                raise
    if kind == "none":
        return "none", lambda *_: None
    return "the naive one, on both sides", lambda _, heat, truth: naive(torch.from_numpy(heat)[None, None], truth)


def naive(heat: torch.Tensor, truth: Truth) -> None:
    """The authors' scoring, its result dropped."""
    naive_tris.score(heat, truth)


def clock(work: Callable[[], object], times: int = 9) -> float:
    """The least seconds of a few calls: what else the machine does can only add."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def forget(method: Tris) -> None:
    """Make every text new, as if no call before had it: the texts here come from a pool of 320."""
    if isinstance(method._encode_text, RememberedTexts):
        method._encode_text.clear()


def memory() -> float:
    """Peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Call(NamedTuple):
    """The images of one call, with their texts, records and truths."""

    pictures: list[np.ndarray]
    texts: list[list[str]]
    records: list[list[Sample]]
    truths: list[Truth]

    @classmethod
    def of(cls, numbers: Sequence[int], count: int) -> Call:
        """The images of these numbers, with ``count`` texts each, which no two of them have in common."""
        drawn = [scene(number) for number in numbers]
        texts = [expressions(number, count) for number in numbers]
        if len({text for some in texts for text in some}) < count * len(numbers):
            raise SystemExit(f"two of {len(numbers)} pictures have a text in common: add rows to THINGS")
        records = [
            [sample(number, place, text, truth) for place, text in enumerate(some)]
            for number, some, (_, truth) in zip(numbers, texts, drawn, strict=True)
        ]
        return cls([picture for picture, _ in drawn], texts, records, [truth for _, truth in drawn])


def compare(method: Tris, network: Stage1, images: int, texts: int, kind: str, now: Callable[[], float]) -> None:
    """Print expressions per second of ``now``, end to end from pixels in memory to scores."""
    label, ours = post(kind)

    def theirs_of(call: Call) -> float:
        start = now()
        for picture, some, truth in zip(call.pictures, call.texts, call.truths, strict=True):
            pixels = preprocess(picture)[None]
            for text in some:
                heat = naive_tris.forward(network, pixels, tokenize([text]))
                if kind != "none":
                    naive_tris.score(heat, truth)
        return now() - start

    def ours_of(call: Call) -> float:
        forget(method)
        start = now()
        answers = method.predict_many(call.pictures, call.texts)
        for heats, records, truth in zip(answers, call.records, call.truths, strict=True):
            for heat, record in zip(heats, records, strict=True):
                ours(record, heat, truth)
        return now() - start

    size = method.batch
    theirs_of(warm := Call.of([10**6], texts))
    ours_of(warm)
    spent: list[tuple[float, float]] = []
    for number in range(-(-images // size)):
        call = Call.of(range(number * size, (number + 1) * size), texts)
        taken = theirs_of(call) if number % 2 else None
        own = ours_of(call)
        spent.append((theirs_of(call) if taken is None else taken, own))
    naive_all, our_all = np.array(spent).sum(0) / (len(spent) * size * texts)
    ratios = np.array([a / b for a, b in spent])
    print(
        f"{len(spent) * size} images x {texts} expressions, {size} images in a call, post-processing: {label}\n"
        f"  naive {1 / naive_all:.2f} expressions/s, ours {1 / our_all:.2f}, ratio {naive_all / our_all:.2f}"
        f" (call by call: median {np.median(ratios):.2f}, quartiles {np.quantile(ratios, 0.25):.2f}"
        f" to {np.quantile(ratios, 0.75):.2f})"
    )


@torch.inference_mode()
def bound(method: Tris, network: Stage1) -> None:
    """What the towers' times imply, and the parts."""
    pixels, truth = scene(0)
    picture = preprocess(pixels)[None]
    quick, size = method._network, method.batch
    rows = tokenize([text for number in range(size) for text in expressions(number, 7)])
    c4 = network.backbone.encode_pyramid(picture)[3]
    features, texts = quick.encode_image(picture), quick.encode_text(rows)
    heat = quick.heat(quick.compare(features, texts[:1]))
    parts = {
        "naive trunk": clock(lambda: network.backbone.encode_pyramid(picture)),
        "naive attention pool": clock(lambda: network.backbone.visual.attnpool(c4)),
        "naive text, 20 tokens": clock(lambda: network.backbone.encode_words(rows[:1])),
        "our trunk": clock(lambda: quick.backbone.encode_pyramid(picture)),
        "our trunk and projections": clock(lambda: quick.encode_image(picture)),
        "our text, alone": clock(lambda: quick.encode_text(rows[:1])),
        f"our text, of {size} images x 1, each": clock(lambda: quick.encode_text(rows[::7])) / size,
        f"our text, of {size} images x 7, each": clock(lambda: quick.encode_text(rows)) / len(rows),
        "our pairs and maps, 7, each": clock(lambda: quick.heat(quick.compare(features, texts[:7]))) / 7,
        "naive post-processing": clock(lambda: naive_tris.score(heat, truth)),
        "preprocessing": clock(lambda: preprocess(pixels)),
    }
    for name, seconds in parts.items():
        print(f"  {name:32s} {1000 * seconds:8.2f} ms")
    trunk, pool, text = (parts[k] for k in ("naive trunk", "naive attention pool", "naive text, 20 tokens"))
    for count in (7, 1):
        ours = parts["our trunk"] + count * parts[f"our text, of {size} images x {count}, each"]
        theirs = count * (trunk + pool + text)
        print(
            f"  bound with {count} expressions an image: encoding once alone {theirs / (trunk + count * text):.2f},"
            f" with our towers {theirs / ours:.2f}"
        )


def main() -> None:
    """Run all of it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40, help="rounded up to whole calls of our side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor", action="store_true", help="count the processor's seconds; use --threads 1")
    parser.add_argument("--precision", choices=("float32", "bf16", "auto"), default="float32", help="of our side")
    parser.add_argument("--post", choices=("auto", "risbench", "naive", "none"), default="auto")
    parser.add_argument("--write", type=Path, help="only write the made-up weights to this file")
    parser.add_argument("--stage", type=int, choices=(1, 2), default=1, help="of the weights that are written")
    options = parser.parse_args()
    if options.write:
        return save(built(STAGE1 if options.stage == 1 else STAGE2), options.write)
    torch.set_num_threads(options.threads)
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {hardware()}, {options.threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made_up.safetensors"
        # In a process of its own: making weights up takes more memory than using them.
        subprocess.run([sys.executable, __file__, "--write", str(file)], check=True)
        empty = memory()
        method = Tris(str(file), precision=options.precision)
        method.predict(scene(0)[0], expressions(0, 7))
        ours = memory()
        network = load(file)
    if not isinstance(network, Stage1):
        raise TypeError("the made-up weights are stage 1")
    now = time.process_time if options.processor else time.perf_counter
    print(f"our precision: {options.precision}, which is {method.facts['precision']} here")
    compare(method, network, options.images, 7, options.post, now)
    compare(method, network, options.images, 1, options.post, now)
    if not options.processor:
        bound(method, network)
    print(f"  peak memory: {empty:.2f} GiB before, {ours:.2f} GiB after ours, {memory():.2f} GiB with both")
    print(f"  load average at the end: {os.getloadavg()[0]:.2f}")


def hardware() -> str:
    """Processor, torch and commit."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=HERE
    )
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__}, commit {commit.stdout.strip() or 'unknown'}"


if __name__ == "__main__":
    main()
