"""The training images of the tiny CLIP: subjects, focus and captions."""

from __future__ import annotations

import numpy as np
import pytest

from risbench.datasets.shapes import exchange
from tris_model.tiny_clip.lessons import MOST, Lesson, ShownLesson, ask, show
from tris_model.tiny_clip.pictures import Pictures, pictures
from tris_model.tiny_clip.questions import ALONE, alone, mixed

SIDE = 32


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pictures, Pictures]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return pictures("objects", 6, 0, SIDE), pictures("scenes", 6, 0, SIDE)


def shown(drawn: tuple[Pictures, Pictures], seed: int = 0, side: int = SIDE, objects: int = 3) -> ShownLesson:
    return show(*drawn, Lesson(objects=objects, scenes=4, side=side), 2, np.random.default_rng(seed))


def test_pictures_are_drawn_once(drawn: tuple[Pictures, Pictures], monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path))
    first, again = pictures("scenes", 6, 0, SIDE), pictures("scenes", 6, 0, SIDE)
    assert np.array_equal(first.images, again.images)
    assert first.things == again.things == drawn[1].things
    assert first.sentences == again.sentences


def test_the_subject_is_what_shows_best(drawn: tuple[Pictures, Pictures]) -> None:
    for seed in range(5):
        batch = shown(drawn, seed)
        for mask, thing in list(zip(batch.masks, batch.things, strict=True))[3:]:
            row, column = (min(SIDE - 1, int(at * SIDE)) for at in (thing.y, thing.x))
            assert mask[row, column] >= 0.8 * mask.max()
            assert mask.min() >= 0
            assert mask.max() <= 1


def test_two_views_of_a_scene_show_one_picture_and_two_subjects(drawn: tuple[Pictures, Pictures]) -> None:
    batch = shown(drawn)
    for first in range(3, 11, 2):
        assert np.array_equal(batch.images[first], batch.images[first + 1])
        assert batch.things[first] != batch.things[first + 1]


def test_a_sentence_is_said_of_its_subject_in_the_scene_as_it_is_mirrored(drawn: tuple[Pictures, Pictures]) -> None:
    _, scenes = drawn
    message = {text for some in scenes.sentences for texts in some for text in texts}
    turned = {exchange(text, axis) for text in message for axis in ("left-right", "top-bottom")}
    turned |= {exchange(exchange(text), "top-bottom") for text in message}
    batch = shown(drawn)
    assert batch.sentences
    for text, at in batch.sentences:
        assert text in message | turned
        if "square" in text.split()[:3]:
            assert batch.things[at].shape == "square"


def test_a_window_moves_its_object_with_it(drawn: tuple[Pictures, Pictures]) -> None:
    batch = show(*drawn, Lesson(objects=8, scenes=0, side=24), 0, np.random.default_rng(1))
    assert batch.images.shape == (8, 24, 24, 3)
    assert all(0 <= thing.x <= 1 and 0 <= thing.y <= 1 for thing in batch.things)


def test_a_caption_is_true_of_the_pictures_whose_subject_answers_so(drawn: tuple[Pictures, Pictures]) -> None:
    draw = np.random.default_rng(2)
    things = shown(drawn).things
    for question in [*alone(draw), *(mixed(draw) for _ in range(20))]:
        captions, true = ask(question, things, draw)
        assert len(captions) <= MOST
        for at, thing in enumerate(things):
            assert [text for text, fits in zip(captions, true[at], strict=True) if fits] == (
                [question.answer(thing)] if question.answer(thing) in captions else []
            )


def test_every_thing_is_asked_for_by_itself_in_every_step() -> None:
    assert len(alone(np.random.default_rng(0))) == len(ALONE)
