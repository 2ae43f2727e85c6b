"""What a method may answer, and how one is made from its name and texts."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up.samples import block, sample_of
from PIL import Image
from pycocotools import mask as coco

from risbench import MaskError, Prediction, RisbenchError
from risbench.methods.answers import prediction_of, predictions_of
from risbench.methods.contract import card_of, reads
from risbench.methods.factory import converted, make

SIZE = (6, 9)
SAMPLE = sample_of(block(SIZE, 1, 1, 4, 4))
MASK = block(SIZE, 0, 0, 3, 3)
HEAT = np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)


# What a method may answer


def test_a_bool_array_is_a_mask():
    found = prediction_of(MASK, SAMPLE)
    assert np.array_equal(found.mask, MASK)
    assert found.heat is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f4"])
def test_a_float_array_of_any_size_and_precision_is_a_heat(dtype: Any):
    found = prediction_of(HEAT.astype(dtype), SAMPLE)
    assert found.mask is None
    assert found.heat is not None
    assert found.heat.dtype == np.float32
    assert np.array_equal(found.heat, HEAT.astype(dtype).astype(np.float32))


def test_torch_tensors_are_read_as_arrays():
    torch = pytest.importorskip("torch")
    assert prediction_of(torch.from_numpy(MASK), SAMPLE).mask is not None
    assert prediction_of(torch.from_numpy(HEAT), SAMPLE).heat is not None
    both = SimpleNamespace(mask=torch.from_numpy(MASK), heat=torch.from_numpy(HEAT), point=torch.tensor([1.5, 2.5]))
    found = prediction_of(both, SAMPLE)
    assert np.array_equal(found.mask, MASK)
    assert found.point == (1.5, 2.5)


@pytest.mark.parametrize("change", ["requires_grad_", "bfloat16", "half", "double", "float8_e5m2"])
def test_a_tensor_of_a_training_loop_is_read_as_its_numbers(change: str):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[0.5, -2.0], [1.0, 0.25]])  # the same in every one of these types
    changed = tensor.to(getattr(torch, change)) if hasattr(torch, change) else getattr(tensor, change)()
    found = prediction_of(changed.requires_grad_() if change == "bfloat16" else changed, SAMPLE)
    assert np.array_equal(found.heat, tensor.detach().numpy())


class OnGpu:
    """What a tensor on a GPU, with a gradient, does."""

    def __init__(self, array: np.ndarray, left: tuple[str, ...] = ("detach", "cpu")) -> None:
        self.array, self.left, self.dtype = array, left, array.dtype

    def _without(self, step: str) -> OnGpu:
        return OnGpu(self.array, tuple(each for each in self.left if each != step))

    def detach(self) -> OnGpu:
        return self._without("detach")

    def cpu(self) -> OnGpu:
        return self._without("cpu")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.left:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.array


def test_a_tensor_on_a_gpu_is_fetched():
    assert np.array_equal(prediction_of(OnGpu(HEAT), SAMPLE).heat, HEAT)
    assert np.array_equal(prediction_of(SimpleNamespace(mask=OnGpu(MASK)), SAMPLE).mask, MASK)


def test_the_short_floats_of_jax_are_read():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert np.array_equal(prediction_of(np.array([[0.5, -2.0]], ml_dtypes.bfloat16), SAMPLE).heat, [[0.5, -2.0]])


def test_an_array_that_refuses_passes_its_own_advice_on():
    class Elsewhere:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise TypeError("Implicit conversion is not allowed.\nPlease use .get()")

    with pytest.raises(MaskError, match=r"cannot be read as an array: Implicit .* Please use \.get\(\)"):
        prediction_of(Elsewhere(), SAMPLE)


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16, np.int32])
def test_whole_numbers_0_and_1_are_a_mask(kind: Any, top: int):
    for numbers in (MASK.astype(kind) * kind(top), np.zeros(MASK.shape, kind), np.full(MASK.shape, top, kind)):
        for answer in (numbers, Prediction(mask=numbers)):
            found = prediction_of(answer, SAMPLE)
            assert found.mask is not None
            assert found.mask.dtype == np.bool_
            assert np.array_equal(found.mask, numbers != 0)
            assert found.heat is None


def test_floats_0_and_1_are_a_heat():
    found = prediction_of(MASK.astype(np.float64), SAMPLE)
    assert found.mask is None
    assert found.heat is not None


def test_a_prediction_keeps_all_it_says():
    found = prediction_of(Prediction(mask=MASK, heat=HEAT, point=(1, 2), boxes=np.array([[0, 0, 3, 3]])), SAMPLE)
    assert np.array_equal(found.mask, MASK)
    assert np.array_equal(found.heat, HEAT)
    assert found.point == (1.0, 2.0)
    assert found.boxes is not None
    assert found.boxes.tolist() == [[0, 0, 3, 3]]
    assert found.boxes.dtype == np.float64


def test_any_object_with_these_attributes_will_do():
    found = prediction_of(
        SimpleNamespace(mask=MASK.tolist(), point=[0.5, 8], boxes=[(0, 0, 1, 1), (2, 2, 3.5, 3)]), SAMPLE
    )
    assert np.array_equal(found.mask, MASK)
    assert found.heat is None
    assert found.boxes is not None
    assert found.boxes.shape == (2, 4)
    assert prediction_of(SimpleNamespace(heat=HEAT), SAMPLE).heat is not None


@pytest.mark.parametrize("boxes", [[], [[]], np.zeros((0, 4)), ()])
def test_no_boxes_are_no_boxes_but_not_absent(boxes: Any):
    found = prediction_of(SimpleNamespace(mask=MASK, boxes=boxes), SAMPLE)
    assert found.boxes is not None
    assert found.boxes.shape == (0, 4)


def test_a_mask_and_a_heat_of_another_size_may_come_together():
    found = prediction_of(Prediction(mask=MASK, heat=np.ones((320, 320))), SAMPLE)
    assert found.heat is not None
    assert found.heat.shape == (320, 320)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (MASK.astype(np.uint8) * np.uint8(7), "array of uint8 with the values 0, 7; a mask is bool, a heat is float"),
        (MASK.astype(np.int64) * -1, "array of int64 with the values -1, 0;"),
        (
            np.arange(54).reshape(6, 9),
            r"with the values 0, 1, 2, 3, …; a mask is bool, .* \(integers",
        ),
        (np.where(MASK, 255, 1), "with the values 1, 255;"),
        (MASK[:3].astype(np.uint8), "mask is 3x9, the image is 6x9"),
        (Prediction(heat=MASK.astype(np.uint8)), "array of uint8; a mask is bool, a heat is float"),
        (np.ma.masked_greater(HEAT, 0), r"is a NumPy array with masked values: fill what is masked out with \.filled"),
        (Image.new("P", (9, 6)), "is a PIL image of mode P; give a bool array"),
        (HEAT.astype(np.complex64), "array of complex64"),
        (np.array([["a"]]), "array of <U1"),
        (np.array(None), "array of object"),
        (MASK[:, :-1], "mask is 6x8, the image is 6x9"),
        (MASK.T, "mask is 9x6, the image is 6x9"),
        (MASK[None], "mask is 1x6x9"),
        (HEAT[None], "a heat is"),
        (HEAT[0], "a heat is"),
        (np.float32(3), "a heat is"),
        (np.zeros((0, 5)), "a heat is"),
        (np.where(HEAT > 0, NAN, HEAT), "NaN"),
        (np.where(HEAT > 0, INF, HEAT), "infinite"),
        (np.where(HEAT > 0, -INF, HEAT), "infinite"),
        (np.full((2, 2), 1e300), "infinite"),  # not a float32
        (None, "is NoneType; give a bool array"),
        (MASK.tolist(), "is list; give a bool array"),
        ("mask", "is str; give a bool array"),
        ({"mask": MASK}, r"is dict; give a bool array .*; risbench\.Prediction\(\*\*…\) takes mask and heat by name"),
        ({"id": "a", "segmentation": {}}, "is dict; give a bool array .*; give its 'segmentation'"),
        ({"size": [6, 9], "counts": "zz"}, "run-length code: 'counts' holds a character outside"),
        ({"size": [6, 9], "counts": [1]}, "run-length code: runs cover 1 pixels, the size 6x9 has 54"),
        (Prediction(), "neither mask nor heat"),
        (SimpleNamespace(mask=None, heat=None, point=(1, 1)), "neither mask nor heat"),
        (Prediction(mask=HEAT), "mask is float32; a mask is bool"),
        (Prediction(mask=MASK.astype(np.uint8) * np.uint8(3)), "array of uint8 with the values 0, 3; a mask is bool"),
        (Prediction(heat=MASK), "array of bool; a mask is bool, a heat is float"),
        (SimpleNamespace(mask=[[True], [True, False]]), "cannot be read as an array"),
        (Prediction(mask=MASK, heat=HEAT[None]), "a heat is"),
        (SimpleNamespace(mask=MASK, point=(1,)), "a point is"),
        (SimpleNamespace(mask=MASK, point=(1, 2, 3)), "a point is"),
        (SimpleNamespace(mask=MASK, point=5), "a point is"),
        (SimpleNamespace(mask=MASK, point="12"), "a point is"),
        (SimpleNamespace(mask=MASK, point={"1": 0, "2": 0}), "a point is"),
        (SimpleNamespace(mask=MASK, point=("x", "y")), "a point is"),
        (SimpleNamespace(mask=MASK, point=(10**400, 1)), "a point is"),
        (SimpleNamespace(mask=MASK, point=(NAN, 1)), "point is not finite"),
        (SimpleNamespace(mask=MASK, point=(1, INF)), "point is not finite"),
        (SimpleNamespace(mask=MASK, boxes=[1, 2, 3, 4]), "boxes have shape"),
        (SimpleNamespace(mask=MASK, boxes=[[1, 2, 3, 4, 0.9]]), "boxes have shape"),
        (SimpleNamespace(mask=MASK, boxes=[[1, 2, 3, 4], [1, 2, 3]]), "cannot be read as an array"),
        (SimpleNamespace(mask=MASK, boxes=[["1", "2", "3", "4"]]), "boxes are not numbers"),
        (SimpleNamespace(mask=MASK, boxes={}), "boxes are not numbers"),
        (SimpleNamespace(mask=MASK, boxes="box"), "boxes are not numbers"),
        (SimpleNamespace(mask=MASK, boxes=[[1, 2, 3, NAN]]), "boxes are not finite"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(answer: Any, reason: str):
    with pytest.raises(MaskError, match=reason) as caught:
        prediction_of(answer, SAMPLE)
    assert str(caught.value).startswith(f"prediction for {SAMPLE.id}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [([MASK], "1 predictions for 2 texts"), ([MASK] * 3, "3 predictions for 2 texts"), (None, "got NoneType")],
)
def test_an_answer_has_one_prediction_for_each_text(answer: Any, reason: str):
    with pytest.raises(MaskError, match=reason):
        predictions_of(answer, [SAMPLE, SAMPLE])


def test_one_array_of_all_masks_is_one_mask_for_each_text():
    found = predictions_of(np.stack([MASK, ~MASK]), [SAMPLE, SAMPLE])
    assert [np.array_equal(item.mask, mask) for item, mask in zip(found, (MASK, ~MASK), strict=True)] == [True, True]


# The card


def test_a_card_is_read_as_plain_values():
    method = SimpleNamespace(card={"grade": "native", "reads": ("box", "category")})
    assert card_of(method) == {"grade": "native", "reads": ["box", "category"]}
    assert reads(method) == ("box", "category")
    assert card_of(SimpleNamespace()) == {}
    assert reads(SimpleNamespace()) == ()


def test_one_thing_that_is_read_may_be_written_as_a_text():
    method = SimpleNamespace(card={"reads": "box"})
    assert reads(method) == ("box",)
    assert card_of(method)["reads"] == ["box"]


def test_a_card_that_is_no_mapping_is_refused():
    with pytest.raises(RisbenchError, match="must be a mapping, not list"):
        card_of(SimpleNamespace(card=["native"]))


# How one is made


def test_texts_stay_texts_where_nothing_is_asked():
    assert converted("key", "text", Any) == "text"
    assert converted("key", "5", str | None) == "5"
    assert converted("key", "none", str | None) is None


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_pil_image_of_one_channel_is_a_mask(mode: str):
    image = Image.fromarray(MASK.astype(np.uint8) * 255).convert(mode)
    assert (prediction_of(image, SAMPLE).mask == MASK).all()


@pytest.mark.parametrize("mode", ["P", "RGB", "LA"])
def test_another_pil_image_is_refused_with_what_makes_a_mask_of_it(mode: str):
    image = Image.fromarray(MASK.astype(np.uint8) * 255).convert(mode)
    with pytest.raises(MaskError, match=rf"is a PIL image of mode {mode}; give a bool array \(H, W\) that is True"):
        prediction_of(image, SAMPLE)


@pytest.mark.parametrize("kind", ["text", "bytes", "list", "attribute"])
def test_the_run_length_code_of_coco_is_a_mask(kind: str):
    packed = coco.encode(np.asfortranarray(MASK.astype(np.uint8)))  # counts as bytes
    lengths = [len(list(run)) for _, run in groupby([False, *MASK.T.reshape(-1).tolist()])]
    code = {
        "text": {**packed, "counts": packed["counts"].decode()},
        "bytes": packed,
        "list": {"size": list(MASK.shape), "counts": [lengths[0] - 1, *lengths[1:]]},
        "attribute": Prediction(mask=packed, point=(1, 1)),
    }[kind]
    assert (prediction_of(code, SAMPLE).mask == MASK).all()
    turned = {**packed, "size": [9, 6]}
    with pytest.raises(MaskError, match=r"mask is 9x6, the image is 6x9 .*: the axes of the mask or of its RLE size"):
        prediction_of(turned, SAMPLE)


def test_the_numbers_of_a_palette_are_no_mask():
    image = Image.fromarray(MASK.astype(np.uint8)).convert("P")
    with pytest.raises(MaskError, match=r"is a PIL image of mode P; give a bool array \(H, W\)"):
        prediction_of(Prediction(mask=image), SAMPLE)  # type: ignore[arg-type]
    assert prediction_of(Prediction(mask=image.convert("L")), SAMPLE).mask is not None  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["mask", "heat"])
def test_a_tensor_without_numbers_is_named(kind: str):
    torch = pytest.importorskip("torch")
    raw = torch.zeros(SAMPLE.size, dtype=torch.bool if kind == "mask" else torch.float32, device="meta")
    for given in (raw, Prediction(**{kind: raw})):  # type: ignore[arg-type]
        with pytest.raises(MaskError, match="device 'meta', which holds no numbers"):
            prediction_of(given, SAMPLE)


def test_an_array_that_cannot_leave_its_device_is_refused_in_words():
    class Stuck:
        dtype = "float32"

        def detach(self) -> None:
            raise NotImplementedError("no such\ncopy")

    with pytest.raises(MaskError, match="cannot be read as an array: no such copy"):
        prediction_of(Stuck(), SAMPLE)


def test_a_factory_that_returns_nothing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("risbench.plugins.load", lambda *_: lambda: None)
    monkeypatch.setattr("risbench.plugins.installed", lambda _: {"mine": SimpleNamespace(value="mine:make")})
    with pytest.raises(
        RisbenchError, match=r"'mine': its factory mine:make returned (None|\w+, which has no predict);"
    ):
        make("mine")


def test_an_entry_point_that_is_no_function_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("risbench.plugins.load", lambda *_: 7)
    monkeypatch.setattr("risbench.plugins.installed", lambda _: {"mine": SimpleNamespace(value="mine:seven")})
    with pytest.raises(RisbenchError, match="'mine': mine:seven is int, not a function that makes the method"):
        make("mine")
