"""Our resize is the definition: its bits are stored, its fast way gives the same, and others agree within a bound."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.examples import examples
from helpers.heats import KINDS, heat_of
from helpers.resized import GOLDEN, changed, hashes
from hypothesis import given
from hypothesis import strategies as st

import risbench
from risbench.metrics import resize
from risbench.metrics.resize import Upsampled, bilinear

_EPSILON = float(np.finfo(np.float32).eps)
# A unit in the last place of 1; float32 has no smaller step beside the largest value of a heat.
_TINY = float(np.finfo(np.float32).tiny)

kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 9999)
sides = st.integers(1, 70)
out_sides = st.integers(1, 330)


def test_the_bits_are_the_stored_ones():
    found = hashes()
    if os.environ.get("RISBENCH_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
    assert changed(json.loads(GOLDEN.read_text(encoding="utf-8")), found) == []


def _variants() -> dict[str, dict[str, str]]:
    """Settings of a process under which numpy and BLAS take other kernels, where the machine has others."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return {
        "old BLAS": {"OPENBLAS_CORETYPE": "Prescott", "MKL_CBWR": "COMPATIBLE"},
        "numpy without SIMD": {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "OPENBLAS_CORETYPE": "Nehalem"},
    }


@pytest.mark.parametrize("variant", _variants())
def test_the_bits_are_the_same_with_other_kernels(variant: str):
    tests = Path(__file__).parents[2]
    paths = os.pathsep.join([str(tests), str(Path(risbench.__file__).parents[1])])
    found = subprocess.run(
        [sys.executable, "-m", "helpers.resized"],
        env={**os.environ, "PYTHONPATH": paths, **_variants()[variant]},
        check=True,
        capture_output=True,
    )
    assert changed(json.loads(GOLDEN.read_text(encoding="utf-8")), json.loads(found.stdout)) == []


def _exact(heat: np.ndarray, size: tuple[int, int], align: bool) -> np.ndarray:
    """The same formula in float64, written apart: a sum over all pixels, each weighted by a hat round its place."""

    def weights(count_in: int, count_out: int) -> np.ndarray:
        place = np.arange(count_out, dtype=np.float64)
        if align:
            source = place * ((count_in - 1) / (count_out - 1) if count_out > 1 else 0)
        else:
            source = np.clip((place + 0.5) * (count_in / count_out) - 0.5, 0, count_in - 1)
        return np.maximum(0, 1 - np.abs(source[:, None] - np.arange(count_in)))

    rows, columns = weights(heat.shape[0], size[0]), weights(heat.shape[1], size[1])
    return np.einsum("ij,jk,lk->il", rows, heat.astype(np.float64), columns, optimize=True)


def _bound(heat: np.ndarray) -> float:
    """How far two right ways of resizing in float32 may lie apart, or one from the exact values.

    A place along an axis of n pixels is below n and rounded up to three times (the scale, the product, the
    difference), so it may be off by 1.5 n epsilon; a pixel changes by at most the heat's range over a place. To this
    comes the rounding of products and sums: four times half an epsilon of the largest value.
    """
    high, low = float(heat.max()), float(heat.min())
    return _EPSILON * (1.5 * sum(heat.shape) * (high - low) + 2 * max(abs(high), abs(low))) + 8 * _TINY


@given(kinds, seeds, sides, sides, out_sides, out_sides, st.booleans())
def test_every_pixel_is_right_within_the_stated_units(kind, seed, h, w, height, width, align):
    heat = heat_of(kind, seed, (h, w))
    apart = np.abs(bilinear(heat, (height, width), align_corners=align) - _exact(heat, (height, width), align))
    assert apart.max() <= _bound(heat)


@given(kinds, seeds, sides, sides, out_sides, out_sides, st.booleans())
def test_torch_gives_the_same_within_the_stated_units_and_masks_differ_only_beside_the_cut(
    kind, seed, h, w, height, width, align
):
    """Torch's kernels round the place or the products otherwise, by version and processor; see the module's text."""
    heat, size = heat_of(kind, seed, (h, w)), (height, width)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(heat)[None, None], size, mode="bilinear", align_corners=align
    )[0, 0].numpy()
    ours, bound = bilinear(heat, size, align_corners=align), 2 * _bound(heat)
    with np.errstate(over="ignore"):
        assert np.abs(ours.astype(np.float64) - np.clip(theirs, *_ENDS)).max() <= bound
    exact = _exact(heat, size, align)
    for cut in (1e-9, 0.5, float(exact.flat[seed % exact.size])):
        differ = (ours > np.float32(cut)) != (theirs > np.float32(cut))
        assert (np.abs(exact[differ] - cut) <= bound).all()


_ENDS = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)


def _cuts(expected: np.ndarray, seed: int) -> list[np.float32]:
    # A cut at a value that occurs is the hardest: the rounding of that very pixel decides.
    occurring = expected.reshape(-1)[seed % expected.size]
    beside = [np.nextafter(occurring, np.float32(end)) for end in _ENDS]
    return [np.float32(0), np.float32(1e-9), np.float32(0.5), occurring, *beside]


def _refuse_other_answers(heat: np.ndarray, size: tuple[int, int], align: bool, seed: int) -> None:
    """Assert that the fast way answers as the definition does."""
    expected = bilinear(heat, size, align_corners=align)
    upsampled = Upsampled(heat, size, align_corners=align)
    assert upsampled.largest() == expected.max()
    assert upsampled.first_largest() == expected.argmax()
    assert upsampled.smallest() == expected.min()
    assert upsampled.first_smallest() == expected.argmin()
    for cut in _cuts(expected, seed):
        assert np.array_equal(upsampled.at_least(cut), expected >= cut)
        if (expected >= cut).any():
            assert upsampled.first_largest(cut) == (expected >= cut).argmax()
        if (expected <= cut).any():
            assert upsampled.first_smallest(cut) == (expected <= cut).argmax()


@given(kinds, seeds, sides, sides, out_sides, out_sides, st.booleans())
def test_cuts_and_extremes_are_those_of_the_definition(kind, seed, h, w, height, width, align):
    _refuse_other_answers(heat_of(kind, seed, (h, w)), (height, width), align, seed)


def _rough_values(heat: np.ndarray, size: tuple[int, int], align: bool) -> dict[str, np.ndarray]:
    """What machines may make of the plain computation: other orders, fused products, results flushed to zero."""
    rows, columns = resize.axis(heat.shape[0], size[0], align), resize.axis(heat.shape[1], size[1], align)

    def flushed(values: np.ndarray) -> np.ndarray:
        return np.where(np.abs(values) < np.finfo(np.float32).tiny, np.float32(0), values)

    def step(a, wa, b, wb, how):
        if how == "fused":
            return (b.astype(np.float64) * wb + a * wa).astype(np.float32)
        if how == "flushed":
            return flushed(flushed(a * wa) + flushed(b * wb))
        return a * wa + b * wb

    found = {}
    for how in ("plain", "fused", "flushed"):
        given = flushed(heat) if how == "flushed" else heat
        along = step(
            given[:, columns.first], columns.weight_first, given[:, columns.second], columns.weight_second, how
        )
        found[how] = step(
            along[rows.first], rows.weight_first[:, None], along[rows.second], rows.weight_second[:, None], how
        )
        down = step(given[rows.first], rows.weight_first[:, None], given[rows.second], rows.weight_second[:, None], how)
        found[f"{how}, columns first"] = step(
            down[:, columns.first], columns.weight_first, down[:, columns.second], columns.weight_second, how
        )
    return found


@examples(60)
@given(kinds, seeds, sides, sides, out_sides, out_sides, st.booleans())
def test_plain_values_keep_to_their_bound_however_a_machine_computes(kind, seed, h, w, height, width, align):
    heat, size = heat_of(kind, seed, (h, w)), (height, width)
    upsampled, expected = Upsampled(heat, size, align_corners=align), bilinear(heat, size, align_corners=align)
    slack = upsampled._absolute + upsampled._relative * np.abs(expected).astype(np.float64) + 1e-37
    with np.errstate(over="ignore"):
        others = _rough_values(heat, size, align)
    for how, values in {"this machine": upsampled.values, **others}.items():
        apart = np.abs(np.clip(values, *_ENDS).astype(np.float64) - expected)
        assert (apart <= slack).all(), how


@examples(60)
@given(kinds, seeds, sides, sides, out_sides, out_sides, st.booleans(), st.sampled_from(["up", "down", "apart"]))
def test_no_answer_depends_on_the_plain_values_within_their_bound(kind, seed, h, w, height, width, align, way):
    """The worst that a machine could do within the bound: every plain value as far off as it may be."""
    heat, size = heat_of(kind, seed, (h, w)), (height, width)
    expected = bilinear(heat, size, align_corners=align).astype(np.float64)
    held = Upsampled(heat, size, align_corners=align)
    slack = held._absolute + held._relative * np.abs(expected) + 1e-37
    signs = {
        "up": np.ones(size),
        "down": -np.ones(size),
        # What is large becomes smaller and what is small larger, so that they change places.
        "apart": np.where(expected > np.median(expected), -1, 1),
    }[way]
    worst = np.clip(expected + 0.99 * signs * slack, *_ENDS).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resize, "_rough", lambda *_: worst.T.copy())
        _refuse_other_answers(heat, size, align, seed)


@pytest.mark.parametrize("rules", ["tris", "lavt", "clean"])
def test_the_form_of_a_heat_in_memory_changes_nothing(rules):
    from made_up.samples import block, sample_of

    from risbench import Rules
    from risbench.methods.answers import prediction_of

    sample = sample_of(block((61, 83), 10, 10, 30, 40))
    heat = heat_of("signed", 0, (20, 30)).astype(np.float16).astype(np.float32)  # so that no form loses digits
    wider = np.zeros((40, 90), np.float32)
    wider[::2, ::-3] = heat
    forms = {
        "float16": heat.astype(np.float16),
        "float64": heat.astype(np.float64),
        "longdouble": heat.astype(np.longdouble),
        "columns first": np.asfortranarray(heat),
        "strides": wider[::2, ::-3],
        "big-endian": heat.astype(">f4"),
        "read only": np.frombuffer(heat.tobytes(), np.float32).reshape(heat.shape),
        "torch": torch.from_numpy(heat),
    }
    wanted = Rules(rules).judge(sample, prediction_of(heat, sample))
    for name, form in forms.items():
        found = Rules(rules).judge(sample, prediction_of(form, sample))
        assert (found.scores, found.point) == (wanted.scores, wanted.point), name
        assert np.array_equal(found.mask, wanted.mask), name


def test_a_mask_outlives_the_next_picture():
    first = Upsampled(heat_of("signed", 0, (20, 20)), (100, 100), align_corners=True).at_least(np.float32(0))
    before = first.copy()
    Upsampled(heat_of("signed", 1, (20, 20)), (100, 100), align_corners=True)
    assert np.array_equal(first, before)
