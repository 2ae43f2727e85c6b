"""What each rival costs at full size: seconds and memory an image, and what answering all its texts at once is worth.

    python tests/bench/rivals.py [--data-root DIR] [--split refcoco_val] [--images 4] [--only METHOD …]

Made-up weights of the published sizes, so nothing is said about quality. Photographs of a split where a data root is
given, else drawn ones of 480 x 640. Each method runs in a process of its own: all texts of an image in one call, then
one text a call, as scripts do that loop over expressions. Memory is the process's peak after the first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import described

TEXTS = (
    "the man on the far left", "brown dog next to the table", "woman in a red dress that looks at the camera",
    "umbrella", "the zebra behind the other one", "kid with a kite", "second bus from the right",
)  # fmt: skip


def clip(model: str, folder: Path) -> str:
    """A CLIP of a published size, in OpenAI's layout, in half precision as theirs are."""
    import torch

    import tris_model
    from baselines._clip.open_clip_names import plain_config, vit_config
    from baselines._clip.vit import VitClip

    torch.manual_seed(0)
    network = tris_model.Clip(tris_model.Config()) if model == "RN50" else VitClip(vit_config(plain_config(model)))
    path = folder / f"{model}.pt"
    torch.save({key: value.half() for key, value in network.state_dict().items()}, path)
    return str(path)


def groupvit(folder: Path) -> str:
    """A GroupViT of the published size, as a folder in Hugging Face's layout."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.groupvits import made_up_groupvit

    return str(made_up_groupvit(folder / "groupvit"))


def amr(folder: Path) -> str:
    """An AMR of the published size, in the authors' layout."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.amrs import made_up_amr

    return str(made_up_amr(folder / "res50_amr.pth.pth"))


def wwbl(folder: Path) -> str:
    """A WWbL of the authors' sizes, beside the CLIP whose text vectors it takes."""
    import torch

    from baselines.wwbl.network import WWbLNetwork

    clip("ViT-B-32", folder)
    torch.manual_seed(0)
    path = folder / "wwbl.pth"
    torch.save(WWbLNetwork().state_dict(), path)
    return str(path)


def lavt(folder: Path) -> str:
    """A LAVT of the published sizes, as the authors save it, with a vocabulary beside it."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.lavts import full_lavt

    return full_lavt(folder)


def cts_style(folder: Path) -> str:
    """One network of cts_style at the size of TRIS's stage 2; there is no layout of its authors."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.cts_styles import full_cts_style

    return full_cts_style(folder)


def gbs(folder: Path) -> str:
    """A GbS of the published sizes, as the authors save it, with a vocabulary beside it."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.gbss import full_gbs

    return full_gbs(folder)


def mg(kind: str, folder: Path) -> str:
    """An MG of the authors' sizes, as its TensorFlow checkpoint, and made-up features of ELMo beside it."""
    sys.path.append(str(Path(__file__).parents[1]))
    from helpers.mgs import made_up_mg

    return str(made_up_mg(folder / "mg", kind))


# What makes the weights, and the method's options, in which {folder} is where the weights lie.
METHODS: dict[str, tuple[Callable[[Path], str], dict[str, str]]] = {
    "clip_sim": (partial(clip, "RN50"), {}),
    "clip_sim (ViT-B/16)": (partial(clip, "ViT-B-16"), {}),
    "clip_gradcam": (partial(clip, "RN50"), {}),
    "clip_gae": (partial(clip, "ViT-B-32"), {}),
    "groupvit": (groupvit, {}),
    "groupvit (competitors)": (groupvit, {"reading": "competitors"}),
    "clip_es": (partial(clip, "ViT-B-16"), {}),
    "amr": (amr, {}),
    "wwbl": (wwbl, {"clip": "{folder}/ViT-B-32.pt"}),
    "lavt": (lavt, {}),
    "cts_style": (cts_style, {}),
    "gbs": (gbs, {}),
    "mg": (partial(mg, "elmo"), {"text": "{folder}/elmo.npz"}),
    "mg (BiLSTM)": (partial(mg, "bilstm"), {"text": "{folder}/elmo.npz"}),
}


def pictures(root: Path | None, split: str, count: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Images and their texts."""
    if root is None:
        for seed in range(count):
            yield np.random.default_rng(seed).integers(0, 256, (480, 640, 3), dtype=np.uint8), list(TEXTS)
        return
    from risbench import load_split
    from risbench.datasets.images import read_image

    for group, _ in zip(load_split(split, root).by_image(), range(count), strict=False):
        yield read_image(group[0].image_path, group[0].size), [sample.text for sample in group]


def one(name: str, weights: str, root: Path | None, split: str, count: int) -> dict[str, Any]:
    """What one method costs."""
    from risbench.methods import factory

    some = list(pictures(root, split, count))
    if name.startswith("mg"):
        sys.path.append(str(Path(__file__).parents[1]))
        from helpers.mgs import save_features

        save_features(Path(weights).parent / "elmo.npz", sorted({text for _, texts in some for text in texts}))
    options = {key: value.format(folder=Path(weights).parent) for key, value in METHODS[name][1].items()}
    method, _ = factory.make(name.split()[0], weights=weights, options=options)
    method.predict(some[0][0], some[0][1][:1])  # what is only done once
    together = [_timed(lambda image=image, texts=texts: method.predict(image, texts)) for image, texts in some]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    alone = [
        sum(_timed(lambda image=image, text=text: method.predict(image, [text])) for text in texts)
        for image, texts in some
    ]
    expressions = sum(len(texts) for _, texts in some)
    return {
        "method": name,
        "parameters": method.parameter_count / 1e6,
        "seconds": sum(together) / len(some),
        "memory": peak,
        "together": expressions / sum(together),
        "alone": expressions / sum(alone),
        "texts": expressions / len(some),
    }


def closed_form(weights: str, root: Path | None, split: str, classes: tuple[int, ...] = (6, 11, 14)) -> str:
    """What AMR's maps of some classes cost without a backward pass, and with one a class, as the authors compute."""
    import torch

    from baselines.amr import load
    from baselines.amr.gradcam import gradcam
    from baselines.amr.maps import paired

    image, _ = next(pictures(root, split, 1))
    pair, branches = paired(image, 1.0), load(weights).requires_grad_(False).branches
    found: dict[str, list[torch.Tensor]] = {"closed": [], "backward": []}

    def closed() -> None:
        with torch.no_grad():
            found["closed"] = [gradcam(features(pair), head[list(classes)]) for features, head in branches]

    def backward() -> None:
        for features, head in branches:
            maps = []
            for place in classes:
                pixels = pair.clone().requires_grad_()  # so that there is a graph, as with weights that learn
                cells = features(pixels)
                logits = torch.einsum("bkhw,k->bhw", cells, head[place])
                (gradient,) = torch.autograd.grad(logits.clamp(min=0).sum(), cells)
                channels = gradient.sum((2, 3), keepdim=True) / ((gradient > 0).sum() + 1e-12)
                both = (channels * cells).sum(1).clamp(min=0).detach()
                maps.append(both[0] + both[1].flip(-1))
            found["backward"].append(torch.stack(maps))

    closed()  # what is only done once
    fast, slow = _timed(closed), _timed(backward)
    apart = max(
        float((one_ - other).abs().max() / other.max())
        for one_, other in zip(found["closed"], found["backward"], strict=True)
    )
    return (
        f"amr: the maps of {len(classes)} classes of one image take {fast:.2f} s in closed form and {slow:.2f} s by "
        f"backward passes, {slow / fast:.1f} times as long; they differ by {apart:.0e} of the maximum"
    )


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Every method in a process of its own; a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--split", default="refcoco_val")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=list(METHODS))
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside and given.inside[0] == "closed form":
        print(json.dumps(closed_form(given.inside[1], given.data_root, given.split)))
        return
    if given.inside:
        print(json.dumps(one(*given.inside, given.data_root, given.split, given.images)))
        return
    print(f"{described()}; {given.images} images {'of ' + given.split if given.data_root else 'of noise, 480 x 640'}\n")
    print("| method | M parameters | s an image | MiB at most | expressions/s | one at a time | ratio |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    where = ["--data-root", str(given.data_root)] if given.data_root else []
    where += ["--images", str(given.images), "--split", given.split]
    notes: list[str] = []
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, *where, "--inside", name, METHODS[name][0](Path(folder))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            if name == "amr":
                command[-2] = "closed form"
                last = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
                notes.append(json.loads(last))
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {name} | {row['parameters']:.1f} | {row['seconds']:.2f} ({row['texts']:.1f} texts) | "
            f"{row['memory']:,.0f} | {row['together']:.2f} | {row['alone']:.2f} | "
            f"{row['together'] / row['alone']:.1f} |",
            flush=True,
        )
    for note in notes:
        print(f"\n{note}")


if __name__ == "__main__":
    main()
