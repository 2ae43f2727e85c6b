"""`risbench.iou` counts what rules count, and takes a mask in every form that `Scorer.add` takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up.samples import blobs, block, sample_of
from PIL import Image

from risbench import MaskError, Prediction, Scorer, iou
from risbench.masks import encode

SIZE = (12, 17)
TRUTH = block(SIZE, 2, 2, 8, 8)


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_it_is_the_share_that_the_rules_count(seed: int, share: float):
    chance = np.random.default_rng(seed)
    pred, truth = chance.random(SIZE) < share, blobs(chance, SIZE, 0.3, 2.0)
    both, either = len(np.argwhere(pred & truth)), len(np.argwhere(pred | truth))
    assert iou(pred, truth) == iou(truth, pred) == (both / either if either else 0)
    if truth.any():
        assert Scorer("clean").add(sample_of(truth), pred).iou == iou(pred, truth)


def test_two_empty_masks_score_0_as_under_all_rules():
    assert iou(np.zeros(SIZE, bool), np.zeros(SIZE, bool)) == 0.0


def _forms(mask: np.ndarray) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    numbers = mask.astype(np.uint8)
    return {
        "bool": mask,
        "0 and 1": numbers,
        "0 and 255": numbers * np.uint8(255),
        "tensor": torch.tensor(mask),
        "tensor of 0 and 1": torch.tensor(mask.astype(np.int64)),
        "run-length code": encode(mask),
        "PIL, 1": Image.fromarray(mask),
        "PIL, L": Image.fromarray(numbers * np.uint8(255)),
        "Prediction": Prediction(mask=mask, point=(1, 1)),
    }


@pytest.mark.parametrize("form", _forms(TRUTH))
def test_every_form_of_a_mask_scores_the_same(form: str):
    pred = block(SIZE, 4, 2, 10, 8)
    given = _forms(pred)[form]
    assert iou(given, TRUTH) == iou(TRUTH, given) == pytest.approx(0.5)
    assert Scorer("clean").add(sample_of(TRUTH), given).iou == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("pred", "reason"),
    [
        (None, "pred is NoneType; give a bool array"),
        ("mask.png", r"pred is str; .*; a file of masks is scored by risbench\.score"),
        (TRUTH.tolist(), r"pred is list; .*numpy\.array"),
        (TRUTH.astype(np.float32), "pred is an array of float32; a mask is bool"),
        (TRUTH * 3, "pred is an array of int64 with the values 0, 3"),
        (TRUTH[None], r"pred has shape \(1, 12, 17\)"),
        (np.zeros((0, 17), bool), "pred has shape"),
        (Prediction(heat=TRUTH.astype(np.float32)), "pred has no mask; a heat becomes one"),
        (Image.new("P", SIZE[::-1]), "pred is a PIL image of mode P"),
        ({"size": [12, 17], "counts": "0"}, "pred run-length code"),
        (TRUTH.T, "truth is 12x17, the other mask is 17x12"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(pred: Any, reason: str):
    with pytest.raises(MaskError, match=reason):
        iou(pred, TRUTH)


def test_a_wrong_truth_is_called_the_truth():
    with pytest.raises(MaskError, match=r"^truth is dict; give a bool array"):
        iou(TRUTH, {"mask": TRUTH})
