"""AMR as a method: one map a class, read off the text, and a floor for texts that name no class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.amrs import amr_state, tripled
from helpers.commands import Ask

import baselines.amr as amr
from baselines.amr.method import CARD, THRESHOLD, Amr, make
from baselines.amr.network import class_names
from baselines.floors.centre import Centre
from risbench import Sample, UsageError
from risbench.methods.cards import supervision_of

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
TEXTS = ["the man on the left", "woman in red", "brown dog", "the thing over there", "a couch", "zebra"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("amr") / "res50_amr.pth.pth"
    torch.save(tripled(amr_state()), path)
    return str(path)


def test_an_answer_is_the_map_of_the_class_that_the_text_names(file: str):
    method = make(weights=file)
    man, woman, dog, thing, couch, zebra = method.predict(PICTURE, TEXTS)
    places = [class_names("voc").index(name) for name in ("person", "dog", "sofa")]
    _, maps = amr.fused_maps(amr.load(file).branches, PICTURE, places, scales=(1.0,), adv_iter=1)
    for answer, expected in zip((man, dog, couch), maps.numpy(), strict=True):
        np.testing.assert_allclose(answer.heat, expected, atol=1e-6)
        assert np.array_equal(answer.mask, answer.heat > 0.20)
        assert answer.mask.shape == PICTURE.shape[:2]
    assert man is woman  # one map a class
    floor = Centre().predict(PICTURE, [""])[0]
    for answer in (thing, zebra):  # the zebra is none of VOC's
        assert np.array_equal(answer.mask, floor.mask)
        assert np.array_equal(answer.heat, floor.heat)
    assert method.facts == {
        "texts_without_class": 2, "images_shrunk": 0, "images_enlarged": 0, "images_undefined": 0,
    }  # fmt: skip


def test_an_answer_does_not_depend_on_what_else_is_asked(file: str):
    method = make(weights=file)
    together = method.predict(PICTURE, TEXTS)
    for text, answer in zip(TEXTS, together, strict=True):
        (alone,) = method.predict(PICTURE, [text])
        assert np.array_equal(alone.mask, answer.mask)
        np.testing.assert_allclose(alone.heat, answer.heat, atol=1e-6)
    assert method.predict(PICTURE, []) == []


def test_siblings_compete_by_the_authors_argmax_only_where_that_is_chosen_and_the_card_says_so(file: str):
    method = make(weights=file, competitors="siblings")
    assert method.card["reads"] == ("refs",)
    samples: list[Sample] = []
    man, _, dog, _, couch, _ = method.predict(PICTURE, TEXTS, samples=samples)
    heats = np.stack([np.full(PICTURE.shape[:2], THRESHOLD, np.float32), dog.heat, man.heat, couch.heat])
    winners = heats.argmax(0)  # background first, then the classes in their order: dog, person, sofa
    for place, answer in ((1, dog), (2, man), (3, couch)):
        assert np.array_equal(answer.mask, winners == place)


def test_the_card_is_that_of_class_labels_and_records_the_setting(file: str):
    assert supervision_of(str(CARD["supervision"])).group == "class"
    method = make(weights=file, scales="authors", adv_iter=3, statistics="running")
    card = method.card
    assert (card["supervision"], card["grade"], card["threshold"]) == ("class labels", "native", 0.20)
    assert card["scales"] == (1.0, 0.5, 0.75, 1.25, 1.5, 1.75, 2.0)
    assert (card["adv_iter"], card["statistics"], card["classes"]) == (3, "running", "voc")
    assert card["model"] == "7 scales, adv_iter 3"
    assert len(card["weights"]) == 64
    assert make(weights=file).card["model"] == "1 scale, adv_iter 1"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (16, 2500), (33, 2)])
def test_images_of_any_size_are_answered(file: str, size: tuple[int, int]):
    method = make(weights=file, scales="1,0.5")
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    man, none = method.predict(image, ["man", " ".join(["word"] * 200)])
    for answer in (man, none):
        assert answer.mask.shape == size
        assert np.isfinite(answer.heat).all()
    assert method.facts["images_enlarged"] == 1
    assert method.facts["images_undefined"] == 0


def test_a_large_image_is_shrunk_and_counted(file: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("baselines.amr.method.MOST_PIXELS", 64 * 64)
    method = make(weights=file)
    (answer,) = method.predict(PICTURE, ["man"])
    assert answer.mask.shape == PICTURE.shape[:2]
    assert method.facts["images_shrunk"] == 1


def test_maps_that_are_no_numbers_are_answered_as_the_floor_and_counted(tmp_path: Path):
    state = amr_state()
    for key, value in state.items():
        if key.endswith("ChannelAMM.mlp.3.weight"):
            value.zero_()
        if key.endswith("ChannelAMM.mlp.3.bias"):
            value.fill_(1.0)  # all attention values are equal, and have no deviation
    torch.save(tripled(state), tmp_path / "flat.pth")
    method = make(weights=str(tmp_path / "flat.pth"))
    (answer,) = method.predict(PICTURE, ["man"])
    assert np.array_equal(answer.mask, Centre().predict(PICTURE, [""])[0].mask)
    assert method.facts["images_undefined"] == 1


def test_the_same_question_has_the_same_answer_and_more_scales_and_steps_have_another(file: str):
    method = make(weights=file)
    first, again = method.predict(PICTURE, ["man"]), method.predict(PICTURE, ["man"])
    assert np.array_equal(first[0].heat, again[0].heat)
    for other in (make(weights=file, scales="1,0.5"), make(weights=file, adv_iter=2)):
        assert not np.allclose(other.predict(PICTURE, ["man"])[0].heat, first[0].heat, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": None}, "amr needs weights: pass --weights res50_amr.pth.pth"),
        ({"adv_iter": 0}, "adv_iter=0: give 1 or more"),
        ({"scales": "1,two"}, "scales=1,two: give numbers from 0.05 to 8"),
        ({"scales": "0"}, "scales=0: give numbers"),
        ({"threshold": 1.0}, "threshold=1: give a number from 0 to below 1"),
        ({"statistics": "own"}, "statistics=own: give batch or running"),
        ({"competitors": "all"}, "competitors=all: give none or siblings"),
    ],
)
def test_senseless_options_are_refused_in_a_line(file: str, options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        make(**{"weights": file, **options})


def test_listing_methods_imports_no_torch():
    code = "import sys, baselines.amr; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_are_functions_also_after_their_modules_were_imported(file: str):
    amr.losses(amr.load(file), torch.randn(2, 3, 48, 48), torch.zeros(2, 20))
    assert callable(amr.losses)
    assert callable(amr.fused_maps)
    assert callable(amr.load)
    assert isinstance(make(weights=file), Amr)


def test_a_checkpoint_of_another_method_ends_the_command_in_one_line(tmp_path: Path, ask: Ask):
    path = tmp_path / "lavt.pth"
    torch.save({"model": {"backbone.layers.0.fusion.image_lang_att.W.0.weight": torch.zeros(1)}}, path)
    result = ask("run", "--method", "amr", "--split", "shapes_val", "--weights", path, "--out", tmp_path / "out")
    assert result.code == 1
    assert "is a checkpoint of LAVT (--method lavt), and no AMR network; amr needs weights" in result.err
    assert "Traceback" not in result.err
