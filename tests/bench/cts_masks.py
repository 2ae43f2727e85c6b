"""How close the pseudo masks of cts_style are to the true masks of shapes_val, on which nothing of them is trained.

    python tests/bench/cts_masks.py OUT [--images 500]

OUT is the folder of a training. A check after it: no training reads this, and no mask is chosen by it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from machine import described

from baselines.cts_style.boxed import boxed_objects, window_round
from baselines.cts_style.contour import contour_maps
from baselines.cts_style.contour_train import load_contour
from baselines.cts_style.grid_cuts import cut_window
from baselines.cts_style.pseudo_masks import best_proposal
from risbench import load_split
from risbench.datasets.images import read_image
from risbench.masks import union_of


def main() -> None:
    """One line for each kind of mask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=500)
    given = parser.parse_args()
    network = load_contour(given.out / "cts_style_contour.safetensors")
    split = load_split("shapes_val").first_images(given.images)
    truths = {sample.ref_id: union_of(sample.parts, sample.size) for sample in split}
    found: dict[str, list[float]] = {"box": [], "first cut": [], "chosen": [], "best of all": []}
    for thing, truth in zip(boxed_objects(split), truths.values(), strict=True):
        image = read_image(thing.image_path)
        window = window_round(thing.box, thing.size)
        true = window.of(truth)
        proposals = cut_window(window.of(image), window.inside)
        (contour,) = contour_maps(network, image, [window])
        each = [float((one & true).sum() / (one | true).sum()) for one in (window.inside, *proposals)]
        found["box"].append(each[0])
        found["first cut"].append(each[1])
        found["chosen"].append(each[1 + best_proposal(proposals, contour)])
        found["best of all"].append(max(each[1:]))
    print(f"{described()}; {len(truths)} objects of {given.images} images of shapes_val (drawn scenes)\n")
    for kind, values in found.items():
        print(f"{kind:12} mean IoU {np.mean(values):.3f}, below 0.5: {np.mean(np.array(values) < 0.5):.3f}")


if __name__ == "__main__":
    main()
