"""Controls that take the words away, or give those of another object."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up.samples import block, sample_of

from risbench import Box, Sample, UsageError
from risbench.methods.texts import control_texts

_MASK = block((8, 8), 0, 0, 4, 4)

# Few images, refs, boxes and texts, so that objects share them often.
_samples = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.sampled_from("abcdef")),
    min_size=1,
    max_size=14,
).map(lambda rows: [_sample(number, *row) for number, row in enumerate(rows)])


def _sample(number: int, image: int, ref: int, box: int, text: str) -> Sample:
    # A ref belongs to one image and one object.
    name = 100 * image + 10 * box + ref
    made = sample_of(_MASK, ref=name, sentence=number, image=image, text=text)
    return replace(made, box=Box(box, 0, box + 2, 2))


@given(_samples, st.integers(0, 3))
def test_shuffled_gives_the_words_of_another_object_of_the_image_where_there_is_one(samples: list[Sample], seed: int):
    words = control_texts("shuffled", samples, seed)
    assert words is not None
    assert set(words) == {sample.id for sample in samples}
    own = defaultdict(set)
    for sample in samples:
        own[sample.ref_id].add(sample.text)
    for sample in samples:
        neighbours = {
            other.text for other in samples if other.image_id == sample.image_id and other.box != sample.box
        } - own[sample.ref_id]
        strangers = {other.text for other in samples if other.image_id != sample.image_id} - own[sample.ref_id]
        assert words[sample.id] not in own[sample.ref_id]
        if neighbours:
            assert words[sample.id] in neighbours
        elif strangers:
            assert words[sample.id] in strangers
        else:
            assert words[sample.id] == ""


@given(_samples)
def test_shuffled_with_one_seed_is_the_same_at_every_call(samples: list[Sample]):
    assert control_texts("shuffled", samples) == control_texts("shuffled", iter(samples))


def test_another_seed_shuffles_otherwise():
    samples = [_sample(n, image, 1, 1 + n % 3, f"text {n}") for n, image in enumerate([1] * 9 + [2] * 9)]
    given_words = [control_texts("shuffled", samples, seed) for seed in range(4)]
    assert len({tuple(words.values()) for words in given_words if words}) == 4


def test_every_text_of_another_object_can_be_drawn():
    samples = [_sample(n, 1, 1, 1 + n, f"text {n}") for n in range(4)]
    drawn = {words["refcoco_val/111/0"] for seed in range(40) if (words := control_texts("shuffled", samples, seed))}
    assert drawn == {"text 1", "text 2", "text 3"}


def test_two_refs_about_one_object_are_not_exchanged():
    """REFER has objects that two refs describe: their words are no wrong words."""
    first, second, third = (
        replace(sample_of(_MASK, ref=n, sentence=n, text=f"text {n}"), box=Box(*corners))
        for n, corners in enumerate([(0, 0, 4, 4), (0, 0, 4, 4), (1, 1, 5, 5)])
    )
    words = control_texts("shuffled", [first, second, third])
    assert words is not None
    assert words[first.id] == words[second.id] == third.text


def test_empty_gives_no_words_and_given_leaves_them():
    samples = [_sample(n, 1, n, 1 + n, f"text {n}") for n in range(3)]
    assert control_texts("empty", samples) == {sample.id: "" for sample in samples}
    assert control_texts("given", samples) is None


def test_another_mode_is_refused():
    with pytest.raises(UsageError, match="texts=loud: must be one of given, shuffled, empty"):
        control_texts("loud", [sample_of(np.ones((2, 2), bool))])
