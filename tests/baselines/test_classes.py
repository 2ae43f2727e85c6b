"""Which class an expression is about, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines._words.class_lists import COCO, PLURALS, SYNONYMS, VOC
from baselines._words.classes import head, mentioned, names


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("woman with a dog", ("person", "dog")),
        ("Horse-rider", ("person", "horse")),  # the head noun is the last of its piece
        ("the man's blue umbrella on the bench", ("umbrella", "person", "bench")),
        ("the dog's", ("dog",)),
        ("a slice of pizza", ("pizza",)),
        ("on the right person", ("person",)),
        ("man left of the dogs", ("person", "dog")),
        ("sitting lady", ("person",)),
        ("guy sitting on couch", ("person", "couch")),
        ("girl, blue shirt, bike", ("person", "bicycle")),
        ("thing on the left", ()),
        ("", ()),
        ("☂ _ 7", ()),
    ],
)
def test_the_head_noun_comes_first_and_the_rest_in_the_order_of_the_text(text: str, classes: tuple[str, ...]):
    assert mentioned(text) == classes
    assert head(text) == (classes[0] if classes else None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hot dogs", "hot dog"),
        ("a dog that is hot", "dog"),
        ("teddy bear", "teddy bear"),
        ("brown bear", "bear"),
        ("catcher's mitt", "baseball glove"),
        ("the catcher", "person"),
        ("glass of wine", "wine glass"),
        ("fire engine", "truck"),
        ("tennis racquet", "tennis racket"),
    ],
)
def test_the_longest_name_wins(text: str, name: str):
    assert mentioned(text) == (name,)


@pytest.mark.parametrize(
    ("plural", "name"),
    [
        ("people", "person"), ("women", "person"), ("children", "person"), ("babies", "person"), ("buses", "bus"),
        ("knives", "knife"), ("couches", "couch"), ("sheep", "sheep"), ("geese", "bird"), ("mice", "mouse"),
        ("boxes", None), ("toothbrushes", "toothbrush"), ("ponies", "horse"), ("monkeys", None), ("zebras", "zebra"),
        ("sandwiches", "sandwich"), ("donuts", "donut"), ("wine glasses", "wine glass"),
    ],
)  # fmt: skip
def test_plurals(plural: str, name: str | None):
    assert head(plural) == name


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("orange", ("orange",)),
        ("the orange on the left", ("orange",)),
        ("oranges", ("orange",)),
        ("orange chair", ("chair",)),
        ("man in orange", ("person",)),
        ("orange and white cat", ("orange", "cat")),  # a rule of word order cannot know
    ],
)
def test_a_colour_is_no_fruit(text: str, classes: tuple[str, ...]):
    assert mentioned(text) == classes


def test_voc_knows_its_own_names_and_is_not_misled_by_cocos():
    assert mentioned("woman on a sofa in front of the television", "voc") == ("person", "sofa", "tv monitor")
    assert mentioned("hot dog", "voc") == ()
    assert head("the man's umbrella", "voc") is None
    assert mentioned("the man's umbrella", "voc") == ("person",)


def test_the_drawn_worlds_shapes():
    assert mentioned("the large red star to the left of two circles", "shapes") == ("star", "circle")
    assert head("shape at the top", "shapes") is None


def test_every_class_is_found_by_its_own_name_and_by_every_synonym():
    assert (len(names("coco")), len(set(names("coco"))), len(names("voc")), len(names("shapes"))) == (80, 80, 20, 8)
    assert all(mentioned(f"the {name} over there") == (name,) for name in COCO)
    assert all(mentioned(f"a {own}", "voc") == (own,) for own in VOC.values())
    assert set(SYNONYMS) <= set(COCO)
    every = [(other, name) for name, others in SYNONYMS.items() for other in others.split(", ")]
    assert len(every) >= 100
    assert len({other for other, _ in every} | set(COCO)) == len(every) + 80  # none stands for two classes
    assert all(head(f"the {other} over there") == name for other, name in every)
    assert set(PLURALS) <= {word for phrase in (*COCO, *(other for other, _ in every)) for word in phrase.split()}


@given(st.text(), st.sampled_from(["coco", "voc", "shapes"]))
def test_any_text_is_answered_with_classes_of_the_vocabulary_each_once(text: str, vocabulary):
    found = mentioned(text, vocabulary)
    assert len(set(found)) == len(found)
    assert set(found) <= set(names(vocabulary))
