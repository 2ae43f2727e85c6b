"""Answers of a method in whichever form, checked against the sample and made into predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import MaskError
from ..masks import LazyMask
from ..records import Prediction, Sample

_PICTURE_MODES = ("1", "L", "F", "I", "I;16")  # modes of PIL images with one channel of plain numbers, not indices
_SHORT = ("bfloat16", "float8_")  # dtypes of torch, and of ml_dtypes, which JAX and TensorFlow use


def predictions_of(answer: Any, samples: Sequence[Sample]) -> list[Prediction]:
    """The predictions that a method returned for some samples, each checked.

    Raises:
        MaskError: the number of predictions is not that of the texts, or one cannot be scored; the sample is named.
    """
    try:
        count = len(answer)
    except TypeError:
        raise MaskError(f"predict must return one prediction per text, got {type(answer).__name__}") from None
    if count != len(samples):
        raise MaskError(f"predict returned {count} predictions for {len(samples)} texts of image {samples[0].image_id}")
    return [prediction_of(raw, sample) for raw, sample in zip(answer, samples, strict=True)]


def prediction_of(raw: Any, sample: Sample) -> Prediction:
    """One prediction in any form that the contract allows, checked against the sample's size.

    Raises:
        MaskError: what is wrong; the sample is named.
    """
    try:
        if isinstance(raw, np.ndarray) or not (hasattr(raw, "mask") or hasattr(raw, "heat")):
            return _of_array(raw, sample)
        mask, heat = getattr(raw, "mask", None), getattr(raw, "heat", None)
        if mask is None and heat is None:
            raise MaskError("has neither mask nor heat")
        return Prediction(
            mask=None if mask is None else _mask(_mask_or_array(mask), sample.size),
            heat=None if heat is None else _heat(_array(heat)),
            point=_point(getattr(raw, "point", None)),
            boxes=_boxes(getattr(raw, "boxes", None)),
        )
    except MaskError as error:
        raise MaskError(f"prediction for {sample.id}: {error}") from None


def mask_of(raw: Any, name: str, size: tuple[int, ...] | None = None) -> np.ndarray:
    """A mask in any form that a prediction may have: bool ``(H, W)``.

    Args:
        raw: the mask, or an object with an attribute ``mask``, such as `risbench.Prediction`.
        name: what it is called in the message.
        size: ``(height, width)`` that it must have; None for any.

    Raises:
        MaskError: it is not a mask, or has another size.
    """
    try:
        given = raw.mask if not isinstance(raw, np.ndarray) and hasattr(raw, "mask") else raw
        if given is None and given is not raw:
            raise MaskError("has no mask; a heat becomes one by comparing it with a threshold")
        array = _array_alone(given)
        if np.issubdtype(array.dtype, np.integer):
            array = _of_numbers(array)
        if array.dtype != np.bool_:
            raise MaskError(f"is an array of {array.dtype}; a mask is bool (compare a heat with a threshold first)")
        if array.ndim != 2 or 0 in array.shape:
            raise MaskError(f"has shape {array.shape}; a mask is (height, width)")
        if size is not None and array.shape != size:
            raise MaskError(f"is {_by(array.shape)}, the other mask is {_by(size)} (height x width)")
    except MaskError as error:
        raise MaskError(f"{name} {error}") from None
    return array


def _of_array(raw: Any, sample: Sample) -> Prediction:
    if _is_code(raw):
        return Prediction(mask=_mask(LazyMask.of_code(raw), sample.size))
    array = _array_alone(raw)
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.integer):
        return Prediction(mask=_mask(array, sample.size))
    return Prediction(heat=_heat(array))


def _mask_or_array(raw: Any) -> np.ndarray | LazyMask:
    """A mask as it is, or from a run-length code; an array from anything else that is one."""
    return raw if isinstance(raw, LazyMask) else LazyMask.of_code(raw) if _is_code(raw) else _array(raw)


def _array(raw: Any) -> np.ndarray:
    """A numpy array from an array of any library, without importing it; tensors are detached and moved to the CPU.

    A mapping with ``size`` and ``counts`` is a mask as COCO's run-length code, and becomes bool ``(H, W)``.
    """
    if _is_code(raw):
        return LazyMask.of_code(raw).pixels
    if np.ma.is_masked(raw):
        raise MaskError("is a NumPy array with masked values: fill what is masked out with .filled(…)")
    if getattr(raw, "is_meta", False) is True:
        raise MaskError("is a tensor on torch's device 'meta', which holds no numbers: compute it on cpu or cuda")
    if (hint := _hint_of_picture(raw)) and raw.mode not in _PICTURE_MODES:
        raise MaskError(f"is a PIL image of mode {raw.mode!s:.10}{hint}")
    try:
        if not isinstance(raw, np.ndarray):
            for step in ("detach", "cpu"):  # a tensor that needs a gradient, or lies on a GPU
                if callable(change := getattr(raw, step, None)):
                    raw = change()
            kind = str(getattr(raw, "dtype", "")).rpartition(".")[2]
            # numpy has no such numbers; float32 holds each of them exactly.
            if kind.startswith(_SHORT) and callable(change := getattr(raw, "float", None)):
                raw = change()
        array = np.asarray(raw)
        return array.astype(np.float32) if array.dtype.name.startswith(_SHORT) else array
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        # The error of the library says what to call, as with CuPy's arrays and sparse tensors.
        raise MaskError(f"cannot be read as an array: {' '.join(str(error).split())}") from None


def _array_alone(raw: Any) -> np.ndarray:
    """The array of a prediction that is not an object with attributes; lists, names of files and the like are refused.

    Raises:
        MaskError: it is no array; the message says what it is and what to give.
    """
    if not _is_code(raw) and not any(hasattr(raw, name) for name in ("__array__", "__array_interface__", "detach")):
        raise MaskError(
            f"is {type(raw).__name__}; give a bool array (mask), a float array (heat), COCO's run-length code "
            f"{{'size': [H, W], 'counts': …}} or a Prediction{_hint_of(raw)}"
        )
    return _array(raw)


def _is_code(raw: Any) -> bool:
    return isinstance(raw, Mapping) and {"size", "counts"} <= set(raw)


def _hint_of(raw: Any) -> str:
    """What to do with an object that is no array."""
    if isinstance(raw, Mapping):
        if "segmentation" in raw:
            return "; give its 'segmentation'"
        return "; risbench.Prediction(**…) takes mask and heat by name" if {"mask", "heat"} & set(raw) else ""
    if isinstance(raw, (list, tuple)):
        return "; numpy.array(…) makes an array of a list, pycocotools.mask.frPyObjects a code of polygons"
    if isinstance(raw, (str, bytes)) or hasattr(raw, "__fspath__"):
        return "; a file of masks is scored by risbench.score"
    return _hint_of_picture(raw)


def _hint_of_picture(raw: Any) -> str:
    """What to do with a PIL image; empty for anything else. The numbers of an image with a palette are no mask."""
    if not (isinstance(getattr(raw, "mode", None), str) and callable(getattr(raw, "getpixel", None))):
        return ""
    return "; give a bool array (H, W) that is True on the object, such as numpy.array(image) > 0 of one channel"


def _mask(mask: np.ndarray | LazyMask, size: tuple[int, int]) -> np.ndarray | LazyMask:
    if isinstance(mask, LazyMask):
        pass
    elif np.issubdtype(mask.dtype, np.integer):
        mask = _of_numbers(mask)
    if not isinstance(mask, LazyMask) and mask.dtype != np.bool_:
        raise MaskError(f"its mask is {mask.dtype}; a mask is bool (compare with a threshold first)")
    if mask.shape != tuple(size):
        turned = ": the axes of the mask or of its RLE size are swapped" if mask.shape == tuple(size)[::-1] else ""
        raise MaskError(f"its mask is {_by(mask.shape)}, the image is {_by(size)} (height x width){turned}")
    return mask


def _of_numbers(mask: np.ndarray) -> np.ndarray:
    """The mask of integers that are all 0 or 1, or all 0 or 255."""
    inside = mask != 0
    top = int(mask.max(initial=0))
    if top not in (0, 1, 255) or not (mask[inside] == top).all():
        values = np.unique(mask)
        shown = ", ".join(map(str, values[:4].tolist())) + (", …" if values.size > 4 else "")
        raise MaskError(
            f"is an array of {mask.dtype} with the values {shown}; a mask is bool, a heat is float (integers are a "
            "mask only if all are 0 or 1, or all are 0 or 255)"
        )
    return inside


def _heat(heat: np.ndarray) -> np.ndarray:
    if not np.issubdtype(heat.dtype, np.floating):
        raise MaskError(f"is an array of {heat.dtype}; a mask is bool, a heat is float")
    if heat.ndim != 2 or 0 in heat.shape:
        raise MaskError(f"its heat has shape {heat.shape}; a heat is (height, width)")
    # All rules interpolate in float32.
    with np.errstate(over="ignore", invalid="ignore"):
        heat = heat.astype(np.float32, copy=False)
        # What is not finite makes the sum so; a sum of large values may be infinite by itself.
        doubtful = not np.isfinite(heat.sum())
    if doubtful and not np.isfinite(heat).all():
        raise MaskError("its heat holds NaN" if np.isnan(heat).any() else "its heat holds infinite values")
    return heat


def _point(point: Any) -> tuple[float, float] | None:
    if point is None:
        return None
    try:
        if isinstance(point, (str, bytes, Mapping)):
            raise TypeError
        x, y = (float(value) for value in point)
    except (TypeError, ValueError, OverflowError):
        raise MaskError(f"its point is {point!r:.60}; a point is (x, y)") from None
    if not np.isfinite([x, y]).all():
        raise MaskError("its point is not finite")
    return x, y


def _boxes(boxes: Any) -> np.ndarray | None:
    if boxes is None:
        return None
    table = _array(boxes)
    if table.size == 0:
        return np.zeros((0, 4))
    # Without this check numpy would convert texts to floats.
    if table.dtype.kind not in "iuf":
        raise MaskError("its boxes are not numbers")
    table = table.astype(np.float64)
    if table.ndim != 2 or table.shape[1] != 4:
        raise MaskError(f"its boxes have shape {table.shape}; boxes are (n, 4) rows of x0 y0 x1 y1")
    if not np.isfinite(table).all():
        raise MaskError("its boxes are not finite")
    turned = np.flatnonzero((table[:, 2] < table[:, 0]) | (table[:, 3] < table[:, 1]))
    if turned.size:
        shown = " ".join(f"{side:g}" for side in table[turned[0]])
        raise MaskError(f"its box {shown} ends before it begins; a box is x0 y0 x1 y1, not x y w h")
    return table


def _by(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape)
