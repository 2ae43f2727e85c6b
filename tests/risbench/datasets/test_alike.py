"""Texts are equal but for case, punctuation and spaces; nearly equal by a measure that is counted here by hand."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets.audit.text_match import are_near, bag_of, likeness, normalised

WORDS = st.lists(st.sampled_from(["a", "the", "man", "men", "left", "red", "dog", "two"]), max_size=7).map(" ".join)


@pytest.mark.parametrize(
    ("a", "b"),
    [("Left  man.", "left man"), ("man, left", "MAN LEFT"), ("café", "CAFE\u0301"), ("t-shirt", "t shirt"), ("", " ?")],
)
def test_equal_but_for_case_and_punctuation(a: str, b: str):
    assert normalised(a) == normalised(b)


@given(st.text(st.characters(max_codepoint=127)))
def test_the_quick_way_for_ascii_is_the_long_way(text: str):
    assert normalised(text) == " ".join(re.findall(r"[^\W_]+", text.casefold()))


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ("the man on the left", "left man", 4 / 5),  # man on left; left man: 2 of 3 and 2
        ("man in red", "man in blue", 4 / 6),
        ("left man", "right man", 2 / 4),
        ("dog", "the dog", 1.0),
        ("red red car", "red car", 4 / 5),  # a word counts as often as it stands
        ("man in red shirt left", "man in blue shirt left", 8 / 10),
        ("", "", 1.0),
        ("", "dog", 0.0),
        ("the", "a", 0.0),  # of articles alone they are kept
    ],
)
def test_likeness_by_hand(a: str, b: str, value: float):
    one, other = bag_of(normalised(a)), bag_of(normalised(b))
    assert likeness(one, other) == pytest.approx(value)
    assert are_near(one, other) == (value >= 0.8)


@given(WORDS, WORDS)
def test_likeness_is_dices_coefficient_whichever_comes_first(a: str, b: str):
    one, other = bag_of(normalised(a)), bag_of(normalised(b))
    shared, total = (Counter(one) & Counter(other)).total(), len(one) + len(other)
    assert likeness(one, other) == likeness(other, one) == (2 * shared / total if total else 1.0)
    assert are_near(one, other) == are_near(other, one) == (10 * shared >= 4 * total)
