"""How fast predictions are scored: `x

Two races. Masks, as a method has them with few contours and with many: `Scorer` from run-length codes and from arrays,
against pycocotools' decode with numpy and against torchmetrics, which give IoU alone. `score` reads the codes of some
images together (`risbench.masks.together`), and so does a line of the race. Heats: `Scorer` under the rules `tris`, all
six metrics at 480x640, against the authors' procedure step by step (tests/helpers/authors.py), with exactly equal
values where both resize alike. Heats are made up in TRIS's form: a 10x10 response, enlarged to 320x320, rectified.

Tried once and not taken (2026-11-27, this machine kind): a heat whose pixels are computed only in cells with numbers on
both sides of the threshold, and round its maximum, was no faster here than one whose whole picture is computed.
OpenCV's contours by runs (``findContoursLinkRuns``) are faster, but cut a row off the box of every hole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchmetrics
from pycocotools import mask as coco

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described, race
from helpers import authors
from made_up.samples import blobs, rough_ellipse, sample_of

from risbench import Prediction, Sample, Scorer
from risbench.masks import encode
from risbench.masks.together import read_together
from risbench.metrics.resize import bilinear

SIZE = (480, 640)
OBJECTS, SENTENCES = 40, 3
TOGETHER = 24  # sentences
KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "4 contours": lambda generator: rough_ellipse(generator, SIZE),
    "19 contours": lambda generator: blobs(generator, SIZE, 0.15, 20.0),
}


def main() -> None:
    """Run both races and print the ratios."""
    torch.set_num_threads(1)
    import cv2

    cv2.setNumThreads(1)
    generator = np.random.default_rng(0)
    truths = [blobs(generator, SIZE, 0.12, 25.0) for _ in range(OBJECTS)]
    samples = [
        sample_of(truth, xywh=(100.5, 80.25, 250.75, 200.5), ref=ref, sentence=SENTENCES * ref + turn, image=ref)
        for ref, truth in enumerate(truths)
        for turn in range(SENTENCES)
    ]
    print(described())
    for title, draw in KINDS.items():
        _masks(title, samples, [draw(generator) for _ in samples], truths)
    _heats(generator, truths, samples)


def _masks(title: str, samples: list[Sample], arrays: list[np.ndarray], truths: list[np.ndarray]) -> None:
    codes = [encode(mask) for mask in arrays]

    def from_codes() -> list[float]:
        scorer = Scorer("tris")
        return [scorer.add(sample, code).iou for sample, code in zip(samples, codes, strict=True)]

    def together() -> list[float]:
        scorer, ious = Scorer("tris"), []
        for first in range(0, len(samples), TOGETHER):
            some = range(first, min(first + TOGETHER, len(samples)))
            with read_together([*(codes[place] for place in some), *(samples[place].parts[0] for place in some)]):
                ious += [scorer.add(samples[place], codes[place]).iou for place in some]
        return ious

    def clean() -> list[float]:
        scorer = Scorer("clean")
        return [scorer.add(sample, code).iou for sample, code in zip(samples, codes, strict=True)]

    def from_arrays() -> list[float]:
        scorer = Scorer("tris")
        return [scorer.add(sample, mask).iou for sample, mask in zip(samples, arrays, strict=True)]

    def plain() -> list[float]:
        ious = []
        for sample, code in zip(samples, codes, strict=True):
            truth, mask = coco.decode(sample.parts[0]), coco.decode(code)
            ious.append(float(np.logical_and(truth, mask).sum() / np.logical_or(truth, mask).sum()))
        return ious

    def metrics() -> list[float]:
        ious = []
        for place, mask in enumerate(arrays):
            jaccard = torchmetrics.classification.BinaryJaccardIndex()
            ious.append(float(jaccard(torch.from_numpy(mask), torch.from_numpy(truths[place // SENTENCES]))))
        return ious

    assert from_codes() == together() == from_arrays() == plain() == clean()
    assert np.allclose(metrics(), plain(), atol=1e-6)
    _print(
        f"masks of {title} at {SIZE[0]}x{SIZE[1]}",
        len(samples),
        {
            "risbench, from codes (IoU, Accbox)": from_codes,
            "the same, codes read together": together,
            "risbench, from codes, rules clean": clean,
            "risbench, from arrays (IoU, Accbox)": from_arrays,
            "pycocotools + numpy, from codes (IoU)": plain,
            "torchmetrics, from arrays (IoU)": metrics,
        },
        base="pycocotools + numpy, from codes (IoU)",
    )


def _heats(generator: np.random.Generator, truths: list[np.ndarray], samples: list[Sample]) -> None:
    heats = []
    for _ in samples:
        small = torch.from_numpy(generator.standard_normal((1, 1, 10, 10)).astype(np.float32) - 0.7)
        heats.append(torch.nn.functional.interpolate(small, (320, 320), mode="bilinear").relu()[0, 0].numpy())

    def ours() -> list[tuple[object, ...]]:
        scorer = Scorer("tris")
        rows = [scorer.add(sample, Prediction(heat=heat)) for sample, heat in zip(samples, heats, strict=True)]
        return [(row.intersection, row.union, row.hit_box, row.hit_mask, row.box_iou) for row in rows]

    # torch's resize differs in its last bits from version to version, so values are compared on one resized heat.
    resized = [bilinear(heat, SIZE, align_corners=True) for heat in heats]

    def theirs(colour: bool, grown: Sequence[np.ndarray | None]) -> list[tuple[object, ...]]:
        answers = []
        for place, heat in enumerate(heats):
            truth = truths[place // SENTENCES].astype(np.uint8)
            box = (100.5, 80.25, 250.75, 200.5)
            answer = authors.score(heat, truth, box, colour=colour, resized=grown[place])
            answers.append((answer.intersection, answer.union, answer.hit_box, answer.hit_mask, answer.box_iou))
        return answers

    assert ours() == theirs(True, resized) == theirs(False, resized)
    none = [None] * len(heats)
    _print(
        f"heats 320x320 to six metrics at {SIZE[0]}x{SIZE[1]}, equal values",
        len(samples),
        {
            "risbench": ours,
            "authors' steps": lambda: theirs(True, none),
            "authors' steps without the colour map": lambda: theirs(False, none),
        },
        base="authors' steps",
    )


def _print(title: str, count: int, works: dict[str, Callable[[], object]], base: str) -> None:
    times = race(works)
    print(f"\n{title}, {count} sentences of {OBJECTS} objects")
    for name, time in times.items():
        print(f"  {name:40} {1000 * time / count:7.2f} ms each {count / time:8.0f}/s {times[base] / time:6.1f}x")


if __name__ == "__main__":
    main()
