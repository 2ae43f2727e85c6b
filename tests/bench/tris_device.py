"""What a device makes of TRIS: expressions and trunk images per second by precision, share of peak, and the rest.

    python tests/bench/tris_device.py --device cuda [--images 256] [--texts 7] [--batch 32] [--peak bf16=989,float32=67]
        [--json]

Full RN50 size at 320 pixels, made-up weights, drawn pictures in memory (no decoding). ``--peak`` takes the card's
TFLOP/s by precision from its data sheet; without it no share is printed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from tris import HERE, expressions, hardware, scene

from tris_model import load, preprocess, tokenize
from tris_model.devices import computing, pick, synchronize
from tris_model.inference.predictor import Tris


def seconds(work: Callable[[], object], device: torch.device, times: int = 5) -> float:
    """The least of a few calls, after one to warm up, the device's queue emptied around each."""
    measured = []
    for _ in range(times + 1):
        start = time.perf_counter()
        work()
        synchronize(device)
        measured.append(time.perf_counter() - start)
    return min(measured[1:])


@torch.inference_mode()
def measure(file: Path, options: argparse.Namespace, precision: str, trunk_flops: int) -> None:
    """Print one precision's lines."""
    method = Tris(str(file), device=options.device, precision=precision, batch=options.batch)  # pyright: ignore
    device, network = pick(options.device), method._network
    pictures = [scene(number)[0] for number in range(options.batch)]
    pictures = (pictures * (options.images // len(pictures) + 1))[: options.images]
    texts = [expressions(number, options.texts) for number in range(options.images)]
    whole = seconds(lambda: method.predict_many(pictures, texts), device, times=2)

    at_once = method.batch
    with computing(precision):  # as an answer is
        pixels = torch.stack([preprocess(picture) for picture in (pictures * at_once)[:at_once]]).to(device)
        rows = tokenize([text for some in (texts * at_once)[:at_once] for text in some]).to(device)
        features, read = network.encode_image(pixels), network.encode_text(rows)
        each = read.split(options.texts)
        parts = {
            "resize and normalise (one thread)": seconds(lambda: preprocess(pictures[0]), device) * at_once,
            "trunk": seconds(lambda: network.backbone.encode_pyramid(pixels), device),
            "projections": seconds(lambda: network.encode_image(pixels), device),
            "texts": seconds(lambda: network.encode_text(rows), device),
            "pairs, maps, to the host": seconds(
                lambda: [
                    network.heat(network.compare(features.of(index), some)).cpu()  # pyright: ignore
                    for index, some in enumerate(each)
                ],
                device,
            ),
        }
    parts["projections"] -= parts["trunk"]
    print(
        f"{precision}, batch {at_once}: {options.images * options.texts / whole:.1f} expressions/s end to end "
        f"({options.images / whole:.1f} images/s), trunk {at_once / parts['trunk']:.1f} images/s"
    )
    achieved = trunk_flops * at_once / parts["trunk"] / 1e12
    peak = dict(pair.split("=") for pair in options.peak.split(",") if pair).get(precision)
    share = f", {100 * achieved / float(peak):.0f} % of the stated peak" if peak else ""
    print(f"  trunk {achieved:.2f} TFLOP/s{share}")
    for name, value in parts.items():
        print(f"  {name:36s}{1000 * value / at_once:9.3f} ms an image")
    if device.type == "cuda":
        print(f"  peak memory {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB")
        peak_gib = torch.cuda.max_memory_allocated(device) / 2**30
        torch.cuda.reset_peak_memory_stats(device)
    if options.json:
        line = {
            "precision": precision, "batch": at_once, "images_per_second": options.images / whole,
            "expressions_per_second": options.images * options.texts / whole, "trunk_tflops": achieved,
            "ms_an_image": {name: 1000 * value / at_once for name, value in parts.items()},
            "peak_gib": peak_gib if device.type == "cuda" else None,
        }  # fmt: skip
        print(json.dumps(line), flush=True)


def main() -> None:
    """Run all precisions that the device has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--texts", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", default="")
    parser.add_argument("--json", action="store_true", help="print a JSON line for each precision as well")
    options = parser.parse_args()
    device = pick(options.device)
    options.device = str(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {name}, {hardware()}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made_up.safetensors"
        subprocess.run([sys.executable, str(HERE / "tris.py"), "--write", str(file)], check=True)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            load(file).backbone.encode_pyramid(torch.zeros(1, 3, 320, 320))
        for precision in ("float32", "tf32", "bf16") if device.type == "cuda" else ("float32",):
            measure(file, options, precision, counter.get_total_flops())


if __name__ == "__main__":
    main()
