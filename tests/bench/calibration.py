"""Whether the statistics keep their word: ``python tests/bench/calibration.py [--sets N] [--tables N] [--seed N]``.

Draws test sets from a made-up world whose true scores are known and asks the functions that runs, tables and
`compare` call. Printed are

- how often a 95 % interval holds the true value, for 10, 20, 100 and 500 images, for mIoU, oIoU and rates from 0.01 to
  0.99 (wanted: 93.5 to 96.5 % from 20 images on);
- in how many tables of equally good methods some method is set apart from the leader, for 2 to 10 methods, and in how
  many comparisons of two equally good runs some kind of expression is said to differ (wanted: at most 6 %);
- how often two equally good methods are told apart when one is a mean over seeds and the other a single run, or a mean
  over as many seeds (wanted: at most 6 %), and how often they would be if the single run were taken as it is.

The world: an image has one object or several, an object one to four expressions; image, object and expression each
make an answer better or worse; objects' sizes are log-normal, so that few large ones decide oIoU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.special import ndtri

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described

from risbench.statistics.paired import (
    Estimate,
    estimate_of,
    holm,
    mean_over_seeds,
    paired_difference,
    significant_pairs,
)
from risbench.statistics.ratios import intervals

IMAGES = (10, 20, 100, 500)
RATES = (0.01, 0.1, 0.5, 0.9, 0.99)
METRICS = ("mIoU", "oIoU", *(f"rate {rate:g}" for rate in RATES))
METHODS = (2, 3, 6, 10)
SLICES = 30
SEEDS = ((2, 1), (3, 1), (5, 1), (2, 2), (3, 3))
SEED_SPREAD = 0.1  # how far a seed makes all answers of a run better or worse: 2 to 3 points of mIoU
_OBJECTS, _EXPRESSIONS = 8, 4
_SPREADS = (0.7, 0.8, 1.0)  # of images, objects and expressions
_WHOLE = float(np.sqrt(np.square(_SPREADS).sum()))
_AT_ONCE = 200


class World:
    """Test sets of so many images, all drawn alike; ``there`` says which expressions exist."""

    def __init__(self, chance: np.random.Generator, sets: int, images: int) -> None:
        self._chance = chance
        self.shape = (sets, images, _OBJECTS, _EXPRESSIONS)
        objects = np.minimum(1 + chance.poisson(1.2, (sets, images, 1, 1)), _OBJECTS)
        each = 1 + chance.binomial(_EXPRESSIONS - 1, 0.6, (sets, images, _OBJECTS, 1))
        self.there = (np.arange(_OBJECTS)[:, None] < objects) & (np.arange(_EXPRESSIONS) < each)
        self._areas = np.exp(chance.normal(9.2, 1.2, (sets, images, _OBJECTS, 1)))
        self._hard = chance.normal(0, _SPREADS[0], (sets, images, 1, 1))
        self._hard = self._hard + chance.normal(0, _SPREADS[1], (sets, images, _OBJECTS, 1))

    def answers(self, seeds: float = 0.0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """One run's sums of numerators and weights by metric, ``(images, sets)`` each; ``seeds`` of `SEED_SPREAD`."""
        good = self._hard + self._chance.normal(0, _SPREADS[2], self.shape)
        if seeds:
            good = good + self._chance.normal(0, seeds, (self.shape[0], 1, 1, 1))
        iou = np.where(good < -1, 0.0, 1 / (1 + np.exp(-2 * good)))
        excess = np.exp(np.abs(self._chance.normal(0, 0.4, self.shape)))
        union = self._areas * excess * (1.8 - 0.8 * iou)
        count = self._summed(np.ones(self.shape))
        found = {"mIoU": (self._summed(iou), count), "oIoU": (self._summed(iou * union), self._summed(union))}
        for rate in RATES:
            found[f"rate {rate:g}"] = (self._summed(good < ndtri(rate) * _WHOLE), count)
        return found

    def _summed(self, values: np.ndarray) -> np.ndarray:
        return (values * self.there).sum(axis=(2, 3)).T.astype(np.float64)


def truths(chance: np.random.Generator) -> dict[str, float]:
    """What the metrics are over very many images."""
    sums = {name: np.zeros(2) for name in METRICS}
    for _ in range(100):
        for name, parts in World(chance, 1, 5000).answers().items():
            sums[name] += [part.sum() for part in parts]
    known = {f"rate {rate:g}": rate for rate in RATES}
    return {name: known.get(name, above / below) for name, (above, below) in sums.items()}


def coverage(chance: np.random.Generator, images: int, sets: int, true: dict[str, float]) -> dict[str, float]:
    """The share of test sets whose interval holds the true value."""
    held = dict.fromkeys(METRICS, 0)
    for size in _pieces(sets):
        for name, (above, below) in World(chance, size, images).answers().items():
            low, high = intervals(above, below)
            held[name] += int(((low <= true[name]) & (true[name] <= high)).sum())
    return {name: count / sets for name, count in held.items()}


def false_leaders(chance: np.random.Generator, images: int, methods: int, sets: int) -> dict[str, float]:
    """The share of tables of equally good methods in which some method is told apart from the leader."""
    found = dict.fromkeys(METRICS, 0)
    for size in _pieces(sets):
        world = World(chance, size, images)
        answers = [world.answers() for _ in range(methods)]
        for name in METRICS:
            for one in range(size):
                runs = [_of_set(each[name], one) for each in answers]
                leader = max(range(methods), key=lambda place: runs[place].value)
                found[name] += any(leader in pair for pair in significant_pairs(runs))
    return {name: count / sets for name, count in found.items()}


def false_seeds(
    chance: np.random.Generator, images: int, seeds: tuple[int, int], sets: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The share of pairs of equally good methods, of so many seeds each, that are told apart; and were told apart if
    a single run were taken as it is.
    """
    found, bare = dict.fromkeys(METRICS, 0), dict.fromkeys(METRICS, 0)
    for size in _pieces(sets):
        world = World(chance, size, images)
        answers = [[world.answers(SEED_SPREAD) for _ in range(count)] for count in seeds]
        for name in METRICS:
            for one in range(size):
                means = [mean_over_seeds([_of_set(run[name], one) for run in runs]) for runs in answers]
                found[name] += bool(significant_pairs(means))
                bare[name] += bool(significant_pairs([mean._replace(learned=False) for mean in means]))
    return {name: count / sets for name, count in found.items()}, {name: count / sets for name, count in bare.items()}


def false_stars(chance: np.random.Generator, images: int, sets: int) -> dict[str, float]:
    """The share of comparisons of two equally good runs in which some of 30 kinds of expression is said to differ."""
    found = dict.fromkeys(("mIoU", "oIoU", "rate 0.1"), 0)
    for size in _pieces(sets):
        world = World(chance, size, images)
        whole = world.there
        kinds = [whole & (chance.random(world.shape) < share) for share in np.geomspace(0.02, 0.9, SLICES)]
        seed = int(chance.integers(2**31))
        ps: dict[str, list[list[float]]] = {name: [[] for _ in range(size)] for name in found}
        for kind in kinds:
            world.there, world._chance = kind, np.random.default_rng(seed)
            first, second = world.answers(), world.answers()
            for name in found:
                for one in range(size):
                    test = paired_difference(_of_set(first[name], one), _of_set(second[name], one))
                    ps[name][one] += [] if test is None or test.p is None else [test.p]
        world._chance = chance
        for name, tables in ps.items():
            found[name] += sum(min(holm(table), default=1.0) <= 0.05 for table in tables)
    return {name: count / sets for name, count in found.items()}


def _of_set(parts: tuple[np.ndarray, np.ndarray], place: int) -> Estimate:
    return estimate_of(np.stack([part[:, place] for part in parts], axis=1))


def _pieces(count: int) -> Iterator[int]:
    for start in range(0, count, _AT_ONCE):
        yield min(_AT_ONCE, count - start)


def line(words: list[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(words)} |"


def print_seeds(chance: np.random.Generator, tables: int) -> None:
    """The table of means over seeds."""
    print("\nPairs of equally good methods that are told apart, in percent; in brackets if one run is taken as it is\n")
    print(line(["images", "seeds", *METRICS]) + "\n" + line(["--:"] * (2 + len(METRICS))))
    for images in IMAGES[1:]:
        for seeds in SEEDS:
            found, bare = false_seeds(chance, images, seeds, tables)
            cells = [f"{100 * found[name]:.1f}" for name in METRICS]
            if 1 in seeds:
                cells = [f"{cell} ({100 * bare[name]:.1f})" for cell, name in zip(cells, METRICS, strict=True)]
            print(line([str(images), f"{seeds[0]} and {seeds[1]}", *cells]), flush=True)


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sets", type=int, default=10_000, help="test sets for each coverage")
    options.add_argument("--tables", type=int, default=2000, help="tables for each rate of false findings")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=("seeds",), help="only this table")
    given = options.parse_args()
    chance = np.random.default_rng(given.seed)
    if given.only == "seeds":
        print(f"{described()}; {given.tables} pairs, seed {given.seed}")
        print_seeds(chance, given.tables)
        return
    true = truths(chance)
    print(f"{described()}; {given.sets} test sets, {given.tables} tables, seed {given.seed}\n")
    print("Coverage of 95 % intervals, in percent\n")
    print(line(["images", *METRICS]) + "\n" + line(["--:"] * (1 + len(METRICS))))
    for images in IMAGES:
        found = coverage(chance, images, given.sets, true)
        print(line([str(images), *(f"{100 * found[name]:.1f}" for name in METRICS)]), flush=True)
    print("\nTables of equally good methods in which some method is set apart from the leader, in percent\n")
    print(line(["images", "methods", *METRICS]) + "\n" + line(["--:"] * (2 + len(METRICS))))
    for images in IMAGES:
        for methods in METHODS:
            found = false_leaders(chance, images, methods, given.tables)
            print(line([str(images), str(methods), *(f"{100 * found[name]:.1f}" for name in METRICS)]), flush=True)
    print_seeds(chance, given.tables)
    print(f"\nComparisons of two equally good runs in which some of {SLICES} kinds of expression differs, in percent\n")
    names = ("mIoU", "oIoU", "rate 0.1")
    print(line(["images", *names]) + "\n" + line(["--:"] * (1 + len(names))))
    for images in IMAGES:
        found = false_stars(chance, images, given.tables)
        print(line([str(images), *(f"{100 * found[name]:.1f}" for name in names)]), flush=True)


if __name__ == "__main__":
    main()
