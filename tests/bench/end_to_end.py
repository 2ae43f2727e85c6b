"""How many expressions a second does `risbench run` answer, from files of photographs to scored rows?

    python tests/bench/end_to_end.py [--device auto] [--images 64] [--texts 7] [--stage 1] [--precision float32 …]
        [-- MORE OPTIONS OF RUN]

TRIS at full size with made-up weights, on drawn pictures of 480 x 640 saved as JPEG of a photograph's size, each with
some outlines of 40 corners. Every run is a command of its own, as a user types it; its figures are those of its
``cost.json``, so weights are loaded and the first batch is warmed up inside them. Prints a JSON line a run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import described
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
SIZE = (480, 640)
WORDS = ("man", "dog", "red", "blue", "left", "right", "top", "small", "bus", "table", "hat", "near", "the", "on", "of")


def picture(number: int, count: int) -> tuple[Image.Image, list[list[float]]]:
    """A picture as smooth and as rough as a photograph, and the outlines of the ellipses on it."""
    draw = np.random.default_rng(number)
    coarse = Image.fromarray(draw.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC)).astype(int)
    drawn = Image.fromarray((pixels + draw.integers(-12, 13, pixels.shape)).clip(0, 255).astype(np.uint8))
    pen, outlines = ImageDraw.Draw(drawn), []
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for _ in range(count):
        (x, y), (a, b) = draw.integers((80, 80), (560, 400)), draw.integers(20, 78, 2)
        corners = np.stack([x + a * np.cos(turn), y + b * np.sin(turn)], 1)
        pen.polygon([tuple(corner) for corner in corners], fill=tuple(int(c) for c in draw.integers(0, 256, 3)))
        outlines.append([round(float(value), 2) for value in corners.flatten()])
    return drawn, outlines


def make(root: Path, images: int, texts: int) -> None:
    """A split named ``bench`` below a data root."""
    made = root / "made"
    made.mkdir()
    pictures, expressions = [], []
    for number in range(images):
        drawn, outlines = picture(number, texts)
        drawn.save(made / f"{number}.jpg", quality=92)
        pictures.append({"file": f"{number}.jpg", "height": SIZE[0], "width": SIZE[1]})
        draw = np.random.default_rng(1000 + number)
        for place, outline in enumerate(outlines):
            text = " ".join(draw.choice(WORDS, int(draw.integers(2, 9)))) + f" {number} {place}"
            expressions.append({"text": text, "image": f"{number}.jpg", "mask": [outline]})
    (made / "bench.json").write_text(json.dumps({"role": "test", "images": pictures, "expressions": expressions}))
    command = [sys.executable, "-m", "risbench", "data", "import", str(made / "bench.json"), "--as", "bench"]
    subprocess.run([*command, "--data-root", str(root)], check=True, stdout=sys.stderr)
    size = sum(file.stat().st_size for file in made.glob("*.jpg")) / images / 1e3
    print(f"{images} images of {texts} expressions, {size:.0f} kB each")


def main() -> int:
    """Run every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--texts", type=int, default=7)
    parser.add_argument("--stage", type=int, nargs="+", default=[1], choices=(1, 2))
    parser.add_argument("--precision", nargs="+", default=["float32"])
    parser.add_argument("more", nargs="*", help="after --: options of every run")
    options = parser.parse_args()
    print(described())
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, options.images, options.texts)
        for stage in options.stage:
            weights = root / f"stage{stage}.safetensors"
            write = [sys.executable, str(HERE / "tris.py"), "--write", str(weights), "--stage", str(stage)]
            subprocess.run(write, check=True)
            for precision in options.precision:
                out = root / f"run-{stage}-{precision}"
                command = [
                    sys.executable, "-m", "risbench", "run", "--method", "tris", "--split", "bench",
                    "--weights", str(weights), "--data-root", str(root), "--out", str(out),
                    "--device", options.device, "--set", f"precision={precision}", *options.more,
                ]  # fmt: skip
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                line = {"stage": stage, "precision": precision, "texts": options.texts, "options": options.more}
                if done.returncode:
                    failed += 1
                    print(json.dumps({**line, "error": done.stderr.strip().splitlines()[-1:]}), flush=True)
                    continue
                cost = json.loads((out / "cost.json").read_text())
                print(json.dumps({**line, "cost": cost}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
