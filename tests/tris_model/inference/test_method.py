"""The method `tris` in the benchmark."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from helpers.rows_through import Count

import tris_model
from risbench.errors import DataError, RisbenchError, UsageError
from risbench.records import Sample
from tris_model.files.checkpoint import digest, save
from tris_model.inference.batches import BatchSize
from tris_model.inference.fused import packs
from tris_model.inference.predictor import Tris
from tris_model.inference.remembered import RememberedTexts
from tris_model.method import CARD, make
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2

DRAW = np.random.default_rng(0)
PICTURES = [DRAW.integers(0, 256, size, dtype=np.uint8) for size in ((48, 70, 3), (90, 30, 3), (64, 64, 3))]
TEXTS = [["left man", "a dog", "left man"], ["the red bus on the far right"], ["", "🙂", "man " * 500, "cat"]]


def test_a_heat_is_what_forward_returns_for_the_pair_alone(small: Stage1, weights: str) -> None:
    heats = make(weights=weights).predict(PICTURES[0], TEXTS[0])
    assert max(heat.max() for heat in heats) > 0
    for heat, text in zip(heats, TEXTS[0], strict=True):
        pixels = tris_model.preprocess(PICTURES[0], 64)[None]
        with torch.inference_mode():
            expected = small(pixels, tris_model.tokenize([text]))[0, 0].numpy()
        assert heat.shape == (64, 64)
        assert heat.dtype == np.float32
        assert np.abs(heat - expected).max() <= 1e-4 * max(expected.max(), 1)


def test_stage_2_answers_signed_logits(small2: Stage2, weights2: str) -> None:
    method = make(weights=weights2)
    heats = method.predict_many(PICTURES, TEXTS)
    assert method.card["stage"] == 2
    for i, (picture, texts) in enumerate(zip(PICTURES, TEXTS, strict=True)):
        for j, text in enumerate(texts):
            pixels = tris_model.preprocess(picture, 64)[None]
            with torch.inference_mode():
                expected = small2(pixels, tris_model.tokenize([text]))[0, 0].numpy()
            assert np.abs(heats[i][j] - expected).max() <= 1e-3 * np.abs(expected).max()
    assert min(heat.min() for some in heats for heat in some) < 0


def test_on_the_cpu_what_else_is_in_a_call_changes_no_bit(weights: str) -> None:
    method = make(weights=weights)
    together = method.predict_many(PICTURES, TEXTS)
    for picture, texts, heats in zip(PICTURES, TEXTS, together, strict=True):
        for alone, heat in zip(method.predict(picture, texts), heats, strict=True):
            assert np.array_equal(alone, heat)


def test_the_trunk_runs_once_an_image_and_the_tower_once_a_distinct_text(weights: str) -> None:
    method = make(weights=weights)
    trunk, tower = Count(method._network.backbone.visual), Count(method._network.lan_project)
    assert isinstance(method._encode_text, RememberedTexts)
    method._encode_text.clear()
    method.predict_many(PICTURES, TEXTS)
    assert trunk.rows == 3
    assert tower.rows == 2 + 1 + 4
    assert tower.calls == 1  # all images of the call together
    method.predict(PICTURES[0], ["cat", "a dog", "zebra"])
    assert tower.rows == 2 + 1 + 4 + 1  # the others are remembered


def test_texts_of_several_images_go_through_the_tower_together_and_each_image_alone(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def pixels(*given: Any) -> torch.Tensor:
        events.append("pixels")
        return tris_model.preprocess(*given)

    monkeypatch.setattr("tris_model.inference.predictor.preprocess", pixels)
    pictures, texts = [*PICTURES, PICTURES[0]], [*TEXTS, []]
    for together, calls in ((True, 2), (False, 4)):
        monkeypatch.setattr("tris_model.inference.prepared._are_independent", lambda _, found=together: found)
        method = make(weights=weights, batch=2)
        assert method.batch == (2 if together else 1)
        tower = Count(method._network.lan_project)
        method._network.vis_project.register_forward_hook(lambda _, given, __: events.append(f"trunk {len(given[0])}"))
        heats = method.predict_many(pictures, [["a dog"], *texts[1:3], ["zebra"]])
        assert tower.calls == calls
        assert events == ["pixels", "trunk 1"] * 4  # pixels are made when their turn comes
        events.clear()
        assert [len(some) for some in method.predict_many(pictures, texts)] == [3, 1, 4, 0]
        assert events == ["pixels", "trunk 1"] * 3  # an image without texts is not encoded
        events.clear()
        assert np.array_equal(heats[3][0], make(weights=weights).predict(PICTURES[0], ["zebra"])[0])
        events.clear()


def test_equal_texts_get_equal_maps_and_no_texts_get_none(weights: str) -> None:
    method = make(weights=weights)
    heats = method.predict(PICTURES[0], TEXTS[0])
    # Two columns of one product, which a processor's kernels may add up in another order.
    np.testing.assert_allclose(heats[0], heats[2], rtol=1e-4, atol=1e-5 * max(float(np.abs(heats[0]).max()), 1))
    assert method.predict(PICTURES[0], []) == []
    assert [len(some) for some in method.predict_many(PICTURES, [["a"], [], ["b", "c"]])] == [1, 0, 2]


def test_every_text_has_a_finite_heat_and_the_cut_ones_are_counted(weights: str) -> None:
    method = make(weights=weights)
    heats = method.predict(PICTURES[2], [*TEXTS[2], "man " * 18, "man " * 19])
    assert all(np.isfinite(heat).all() for heat in heats)
    assert method.facts["texts"] == 6
    assert method.facts["texts_cut"] == 2
    assert "2 of 6 texts were cut to 20 tokens" in method.notes()[0]


def test_the_repaired_variant_differs_on_long_texts_alone(weights: str) -> None:
    texts = ["a dog", "the man on the left " * 5]
    plain, repaired = (make(weights=weights, keep_end=k).predict(PICTURES[0], texts) for k in (False, True))
    assert np.abs(plain[0] - repaired[0]).max() < 1e-4
    assert np.abs(plain[1] - repaired[1]).max() > 1e-3


def test_the_card_is_frozen_and_carries_the_weights_hash(weights: str) -> None:
    method = make(weights=weights)
    assert method.card["weights"] == digest(Path(weights))
    assert (method.card["threshold"], method.card["grade"], method.card["reads"]) == (0.0, "native", ())
    assert method.card["supervision"] == "text"
    with pytest.raises(TypeError):
        method.card["grade"] = "hosted"  # pyright: ignore
    assert method.parameter_count == sum(w.numel() for w in tris_model.load(weights).parameters())
    assert make.card is CARD


def test_options_are_annotated_so_that_set_can_convert_them() -> None:
    hints = get_type_hints(make)
    assert hints["keep_end"] is bool
    assert hints["batch"] is int
    assert {"weights", "device", "split", "stage", "prms", "scorer", "precision"} <= set(hints)


def test_without_weights_one_line_names_the_file_to_get() -> None:
    with pytest.raises(UsageError, match=r"v1\.0\.1/stage2_refcocog_umd\.pth.* convert .*--weights shapes") as caught:
        make(split="refcocog_test_u")
    assert "\n" not in str(caught.value)
    for split, name in {
        "refcoco+_testA": "stage2_refcoco+.pth",
        "refcocoplus_val": "stage2_refcoco+.pth",
        "refcocog_val_g": "stage2_refcocog_google.pth",
        "referit_test_5pct": "stage2_referit.pth",
        None: "stage2_refcocog_google.pth",
    }.items():
        with pytest.raises(UsageError) as caught:
            make(split=split)
        assert name in str(caught.value)


def test_the_shipped_weights_are_asked_for_on_drawn_scenes_alone(
    small2: Stage2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tris_model.files.names.FOLDER", tmp_path)
    with pytest.raises(UsageError, match=r"are incomplete.*stage2.*install risbench again"):
        make(split="shapes_val")
    save(small2, tmp_path / "shapes_stage2.safetensors")
    assert make(split="shapes_val").card["stage"] == 2
    assert make(weights="shapes", split="refcoco_val").card["stage"] == 2
    with pytest.raises(UsageError, match=r"are incomplete.*stage1"):
        make(weights="shapes", stage=1)
    with pytest.raises(UsageError, match="stage must be 1 or 2, not 3"):
        make(weights="shapes", stage=3)


def test_options_that_cannot_be_are_refused(weights: str, weights2: str) -> None:
    with pytest.raises(UsageError, match="precision must be"):
        make(weights=weights, precision="float8")  # pyright: ignore
    with pytest.raises(UsageError, match="batch must be at least 1"):
        make(weights=weights, batch=0)
    with pytest.raises(UsageError, match="scorer=FILE"):
        make(weights=weights, prms=True)
    with pytest.raises(UsageError, match="is TRIS stage 2, not 1"):
        make(weights=weights2, stage=1)
    with pytest.raises(UsageError, match="no scorer file"):
        make(weights=weights, prms=True, scorer="nowhere.pt")
    with pytest.raises(DataError, match="each image needs its own"):
        make(weights=weights).predict_many(PICTURES, [["a"]])


def test_bfloat16_is_near_float32(weights: str) -> None:
    exact = make(weights=weights).predict(PICTURES[0], TEXTS[0])
    half = make(weights=weights, precision="bf16").predict(PICTURES[0], TEXTS[0])
    for a, b in zip(exact, half, strict=True):
        assert b.dtype == np.float32
        assert np.abs(a - b).max() < 0.1 * max(a.max(), 1)
    assert not np.array_equal(exact[0], half[0])


def test_a_heat_is_the_same_whatever_was_answered_before(weights: str, weights2: str) -> None:
    for file in (weights, weights2):
        one, other = make(weights=file), make(weights=file)
        texts = [text for some in TEXTS for text in some]
        for text in reversed(texts):
            other.predict(PICTURES[1], [text, "zebra"])
        for a, b in zip(one.predict(PICTURES[0], texts), other.predict(PICTURES[0], texts), strict=True):
            assert np.array_equal(a, b)


def test_what_auto_becomes_is_printed_and_recorded_and_is_the_same_as_that_precision(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "precision" not in make(weights=weights).card
    for seconds, precision in (([1.0, 1.0], "float32"), ([1.0, 0.5], "bf16")):
        taken = iter(seconds)
        monkeypatch.setattr("tris_model.inference.half._seconds", lambda *_, taken=taken: next(taken))
        monkeypatch.setattr("tris_model.inference.half.has_bf16", lambda _: True)
        method = make(weights=weights, precision="auto")
        if not packs(torch.bfloat16):
            assert method.facts["precision"] == "float32"
            continue
        assert method.facts["precision"] == precision
        assert method.card.get("precision", "float32") == precision
        assert f"--set precision={precision}" in method.notes()[0]
        fixed = make(weights=weights, precision=precision).predict(PICTURES[0], TEXTS[0])  # pyright: ignore
        for a, b in zip(method.predict(PICTURES[0], TEXTS[0]), fixed, strict=True):
            assert np.array_equal(a, b)


def test_a_small_network_takes_one_thread_and_leaves_the_others_as_they_were(weights: str) -> None:
    method, threads = make(weights=weights), []
    method._network.vis_project.register_forward_hook(lambda *_: threads.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        method.predict(PICTURES[0], ["a dog"])
        assert threads == [1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_auto_falls_back_and_says_so(weights: str) -> None:
    method = make(weights=weights, device="auto")
    assert method.facts["device_fell_back"]
    assert "auto fell back to the CPU" in method.notes()[0]
    with pytest.raises(UsageError, match="0 CUDA devices"):
        make(weights=weights, device="cuda")


def test_out_of_memory_halves_the_batch_says_so_and_goes_on() -> None:
    sizes: list[int] = []

    def work(items: object) -> list[int]:
        held = list(items)  # pyright: ignore
        sizes.append(len(held))
        if len(held) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return held

    batches = BatchSize(8)
    with pytest.warns(RuntimeWarning, match=r"continuing with \d images") as caught:
        out = [x for part in batches.over(range(7), work) for x in part]
    assert len(caught) == 2
    assert out == list(range(7))
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert batches.size == 2


def test_one_image_that_does_not_fit_is_an_error() -> None:
    def work(_items: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(RisbenchError, match="one image alone does not fit"):
        list(BatchSize(1).over([1], work))


class Prefers:
    """A scorer that likes the brightest map."""

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        level = images.abs().mean((1, 2, 3))
        return torch.stack([level, level.max() - level], 1)

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0]]).repeat(len(texts), 1)


def sample(ref: int, text: str) -> Sample:
    return Sample(f"s/{ref}/0", 1, ref, 0, Path("x.jpg"), (48, 70), text, None, ())


def test_prms_gives_all_texts_of_an_object_one_of_their_maps(weights: str) -> None:
    plain = make(weights=weights)
    method = Tris(weights, scorer=Prefers())
    assert method.card["reads"] == ("refs",)
    texts = ["left man", "a dog", "the red bus", "cat", "sky"]
    samples = [sample(ref, text) for ref, text in zip((1, 2, 1, 1, 2), texts, strict=True)]
    maps = plain.predict(PICTURES[0], texts)
    chosen = method.predict(PICTURES[0], texts, samples=samples)
    for places in ((0, 2, 3), (1, 4)):
        assert any(all(np.array_equal(chosen[p], maps[q]) for p in places) for q in places)
    with pytest.raises(DataError, match="one sample per text"):
        method.predict(PICTURES[0], texts)


def test_prms_is_for_stage_1(weights2: str) -> None:
    with pytest.raises(UsageError, match="these weights are stage 2"):
        Tris(weights2, scorer=Prefers())


def test_a_network_that_is_quickened_leaves_no_trace_on_others(small: Stage1, weights: str) -> None:
    before = copy.deepcopy(small.state_dict())
    make(weights=weights).predict(PICTURES[0], ["a"])
    again = tris_model.load(weights).state_dict()
    assert all(torch.equal(before[key], again[key]) for key in before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_a_gpu_answers_as_the_cpu(weights: str, weights2: str, precision: str) -> None:
    for file in (weights, weights2):
        here = make(weights=file).predict_many(PICTURES, TEXTS)
        there = make(weights=file, device="cuda", precision=precision, batch=2).predict_many(PICTURES, TEXTS)  # pyright: ignore
        # Emulated on a CPU these weights gave 0.022 with factors cut to TF32's 10 bits, and 0.041 in bf16.
        tolerance = {"float32": 1e-3, "tf32": 5e-2, "bf16": 0.1}[precision]
        for some, others in zip(here, there, strict=True):
            for a, b in zip(some, others, strict=True):
                assert np.abs(a - b).max() <= tolerance * max(np.abs(a).max(), 1)
