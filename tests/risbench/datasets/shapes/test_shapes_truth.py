"""What the drawn scenes' sentences say is true of their target alone; the checker shares nothing with the generator."""

import collections
from dataclasses import replace

import numpy as np
import pytest
from shapes_checker import Thing, form_of, is_ambiguous, readings

from risbench.datasets.shapes import FREE_SEEDS, SHAPES, SPLITS, draw_scene, exchange, mirror
from risbench.datasets.shapes.entries import annotation_entries, ref_entries
from risbench.errors import UsageError

SHARE = 250
# Scenes of each share that are read every day; `make torture` reads all.
DAILY = 40


def misread(scene):
    """Every sentence of a scene that some reading finds false, or true of another object; and a wrong tag."""
    things = [Thing(annotation) for annotation in annotation_entries(scene)]
    for ref in ref_entries(scene, "any"):
        for sentence in ref["sentences"]:
            text, target = sentence["sent"], ref["ann_id"]
            if form_of(text) != sentence["form"] or is_ambiguous(text, target, things) != sentence["ambiguous"]:
                yield scene.seed, text, "tags"
            for name, found in readings(text, things, *scene.image.shape[:2]):
                if found != {target}:
                    yield scene.seed, text, name


def scenes_of(start):
    """The seeds of a share; a quarter of the shares each from the three frozen splits and from free seeds."""
    base = [*(split.seeds for split in SPLITS.values()), FREE_SEEDS][start // SHARE % 4]
    offset = start // SHARE // 4 * SHARE
    return range(base + offset, base + offset + SHARE)


@pytest.mark.parametrize("start", range(0, 2000, SHARE))
def test_every_sentence_fits_its_target_and_nothing_else(start):
    assert not [fault for seed in scenes_of(start)[:DAILY] for fault in misread(draw_scene(seed))]


@pytest.mark.torture
@pytest.mark.parametrize("start", range(0, 2000, SHARE))
def test_so_does_every_sentence_of_the_other_scenes(start):
    assert not [fault for seed in scenes_of(start)[DAILY:] for fault in misread(draw_scene(seed))]


@pytest.mark.parametrize("axis", ["left-right", "top-bottom"])
def test_a_mirror_keeps_the_truth(axis):
    for seed in range(FREE_SEEDS + 5000, FREE_SEEDS + 5060):
        scene = draw_scene(seed)
        turned = mirror(scene, axis)
        assert not list(misread(turned))
        assert np.array_equal(turned.image, np.flip(scene.image, 1 if axis == "left-right" else 0))
        again = mirror(turned, axis)
        assert np.array_equal(again.image, scene.image)
        assert dict(again.expressions) == dict(scene.expressions)
        assert again.captions == scene.captions
        assert [thing.box for thing in again.objects] == [thing.box for thing in scene.objects]
        assert [thing.mass for thing in again.objects] == [thing.mass for thing in scene.objects]


def test_a_mirror_exchanges_words_and_not_letters():
    assert (
        exchange("the leftmost star to the right of the top ring") == "the rightmost star to the left of the top ring"
    )
    assert exchange("the lowest star above the ring", "top-bottom") == "the highest star below the ring"
    with pytest.raises(UsageError, match="left-right or top-bottom"):
        exchange("the star", "diagonal")


def test_a_checker_that_is_told_a_lie_says_so():
    found = 0
    for seed in range(FREE_SEEDS, FREE_SEEDS + 40):
        scene = draw_scene(seed)
        found += bool(list(misread(replace(mirror(scene), expressions=scene.expressions))))
    assert found > 20


@pytest.fixture(scope="module")
def of_test():
    """The first scenes of the split `test`, which two tests look at."""
    return [draw_scene(seed) for seed in range(SPLITS["test"].seeds, SPLITS["test"].seeds + 150)]


def test_every_target_has_three_forms_and_the_forms_are_balanced(of_test):
    forms, ambiguous, targets, counts, shared = collections.Counter(), 0, 0, collections.Counter(), 0
    for scene in of_test:
        counts[len(scene.objects)] += 1
        shapes = [thing.shape for thing in scene.objects]
        shared += len({*shapes}) < len(shapes)
        assert {*shapes} <= {*SHAPES}
        assert 1 <= len(scene.expressions) <= 3
        for sentences in scene.expressions.values():
            targets += 1
            assert len({one.text for one in sentences}) == len({one.form for one in sentences}) >= 3
            assert all(len(one.text.split()) <= 18 for one in sentences)
            forms.update(one.form for one in sentences)
            ambiguous += sum(one.ambiguous for one in sentences)
    total = forms.total()
    assert {*forms} == {"attribute", "position", "relation", "combined"}
    assert min(forms.values()) >= 0.15 * total
    assert ambiguous >= 0.5 * total
    assert {*counts} == {2, 3, 4, 5, 6, 7}
    assert shared >= 100


def test_the_class_alone_is_not_enough(of_test):
    overlap, hits = [], []
    chance = np.random.RandomState(0)
    for scene in of_test:
        for target, sentences in scene.expressions.items():
            same = [thing for thing in scene.objects if thing.shape == scene.objects[target].shape]
            union = np.any([thing.mask for thing in same], axis=0)
            for _ in sentences:
                overlap.append(scene.objects[target].mask.sum() / union.sum())
                hits.append(same[chance.randint(len(same))] is scene.objects[target])
    assert np.mean(overlap) <= 0.60
    assert np.mean(hits) <= 0.60
