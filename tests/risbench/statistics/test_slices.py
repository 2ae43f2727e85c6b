"""Kinds of expressions are determined by their words, their target and the other objects."""

from __future__ import annotations

import numpy as np
import pytest

from risbench import load_split
from risbench.datasets.expressions import share_of, words_of
from risbench.statistics.slices import kinds_of, slices_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("left man", {"position"}),
        ("the LARGE red cup", {"attribute"}),
        ("dog next to the tree", {"relation"}),
        ("small cat in front of the sofa", {"position", "attribute", "relation"}),
        ("man in front", {"position"}),
        ("person to the left of the bus", {"position", "relation"}),
        ("zebra", set()),
        ("leftover redness", set()),  # whole words alone
        ("", set()),
    ],
)
def test_words_make_kinds(text: str, kinds: set[str]):
    assert kinds_of(text) == kinds


def test_words_are_counted_without_punctuation():
    assert words_of("The man's dog, far-off – on 2nd base!") == ["the", "man's", "dog", "far-off", "on", "2nd", "base"]
    assert words_of("שלום, עולם") == ["שלום", "עולם"]


def test_drawn_scenes_have_their_own_questions():
    split = load_split("shapes_val").first_images(20)
    samples = list(split)
    found = slices_of(split, samples)
    assert {"form", "ambiguous"} <= set(found)
    for name in ("length", "area", "same-class distractors", "category", "form", "ambiguous"):
        assert (np.sum(list(found[name].values()), axis=0) == 1).all(), name
    drawn = {sample.tags["form"] for sample in samples}
    assert set(found["form"]) == drawn


def test_the_area_is_that_of_the_truth():
    sample = next(iter(load_split("shapes_val")))
    assert 0 < share_of(sample) <= sample.box.area / (sample.size[0] * sample.size[1])
