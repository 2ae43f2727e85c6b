"""Your own pictures and expressions become a split: ``python examples/own_split.py``.

The form of the JSON, with polygons, run-length codes, boxes and expressions without a target, is in ``risbench data
import --help``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

import risbench

COLOURS = {"red": (220, 40, 40), "blue": (40, 80, 220)}


def draw(place: Path) -> dict[str, object]:
    """Two pictures with a red and a blue square each, and what they hold."""
    images, expressions = [], []
    for number in range(2):
        picture = Image.new("RGB", (80, 60), (240, 240, 240))
        for colour, x in zip(COLOURS, (10, 45) if number == 0 else (45, 10), strict=True):
            ImageDraw.Draw(picture).rectangle((x, 20, x + 19, 39), fill=COLOURS[colour])
            outline = [x, 20, x + 20, 20, x + 20, 40, x, 40]
            side = "left" if x == 10 else "right"
            for text in (f"the {colour} square", f"the square on the {side}"):
                expressions.append({"text": text, "image": f"{number}.png", "mask": [outline], "category": "square"})
        picture.save(place / f"{number}.png")
        images.append({"file": f"{number}.png", "height": 60, "width": 80})
    return {"role": "test", "images": images, "expressions": expressions}


if __name__ == "__main__":
    place = Path("squares")
    place.mkdir(exist_ok=True)
    (place / "squares.json").write_text(json.dumps(draw(place)), encoding="utf-8")

    words = ["data", "import", str(place / "squares.json"), "--as", "squares", "--data-root", "data"]
    subprocess.run([sys.executable, "-m", "risbench", *words], check=True)

    run = risbench.evaluate("centre", "squares", data_root="data", rules="clean")
    print(f"{run.summary['count']} expressions, mIoU {100 * run.summary['metrics']['mIoU']['value']:.1f}")
