"""The contract of a method: what it is called with, what it may answer, how one is made from its name."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import plugins
from ..datasets.catalog import is_drawn
from ..errors import MaskError, RisbenchError, UsageError
from ..faults import Watched
from ..plain import plain
from ..records import Prediction, Sample

_PICTURE_MODES = ("1", "L", "F", "I", "I;16")  # of PIL images: one channel, whose numbers are what they say
_SHORT = ("bfloat16", "float8_")  # of torch, and of ml_dtypes, which JAX and TensorFlow use


class Method(Protocol):
    """Anything with ``predict``.

    Optional attributes: ``predict_many(images, texts)`` for several images at once; ``card``, a mapping (paper,
    licence, supervision, extra_data, grade, threshold in the heat's units, weights hash, ``reads``);
    ``parameter_count``; ``weights_notes``, sentences that a user should read before the run; ``batch``, how many images
    to bring at once where nobody says; ``facts``, a mapping of what became known while running. Answers are scored
    while the next image is predicted, so they must not be written into again. A method whose card ``reads`` something
    gets ``samples=`` as a keyword: the samples of the texts, in their order.
    """

    def predict(self, image: np.ndarray, texts: list[str]) -> Sequence[Any]:
        """One prediction for each text.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: all expressions about this image.

        Returns:
            For each text a bool ``(H, W)`` array (a mask; whole numbers 0 and 1, or 0 and 255, are one as well), a
            float array of any size (a heat), or an object with attributes ``mask``, ``heat``, ``point``, ``boxes`` such
            as `Prediction`. Arrays may be of any library that numpy can read, such as tensors on a GPU.
        """
        ...


def card_of(method: Any) -> dict[str, Any]:
    """The method's card as plain values; empty if it has none."""
    card = {key: list(value) if isinstance(value, tuple) else value for key, value in _card(method).items()}
    if "reads" in card:
        card["reads"] = list(reads(method))
    return card


def _card(method: Any) -> Mapping[str, Any]:
    card = getattr(method, "card", None)
    if card is None:
        return {}
    if not isinstance(card, Mapping):
        raise RisbenchError(f"the method's card must be a mapping, not {type(card).__name__}")
    return card


def reads(method: Any) -> tuple[str, ...]:
    """What the method looks at beyond image and text, as its card says."""
    given = _card(method).get("reads") or ()
    return (given,) if isinstance(given, str) else tuple(given)


DRAWN = "drawn scenes"


def notes_of(method: Any, split: str | None = None) -> tuple[str, ...]:
    """What a user should know before believing a method's answers, a sentence each.

    Args:
        method: its own ``weights_notes`` come first.
        split: the split that will be answered; None for a picture of the user's.
    """
    own = getattr(method, "weights_notes", None) or ()
    notes = [plain(note, 500) for note in ((own,) if isinstance(own, str) else own)]
    if _card(method).get("trained_on") == DRAWN and not is_drawn(split or ""):
        notes.append(
            "caution: these weights were trained on drawn scenes only: on photographs their answers mean nothing"
        )
    return tuple(notes)


def predictions_of(answer: Any, samples: Sequence[Sample]) -> list[Prediction]:
    """A method's answer about some samples, checked one by one.

    Raises:
        MaskError: not one prediction a text, or one that cannot be scored, with the sample's name.
    """
    try:
        count = len(answer)
    except TypeError:
        raise MaskError(f"predict must return one prediction per text, got {type(answer).__name__}") from None
    if count != len(samples):
        raise MaskError(f"predict returned {count} predictions for {len(samples)} texts of image {samples[0].image_id}")
    return [prediction_of(raw, sample) for raw, sample in zip(answer, samples, strict=True)]


def prediction_of(raw: Any, sample: Sample) -> Prediction:
    """One prediction in whichever form, checked against the sample's size.

    Raises:
        MaskError: what is wrong, with the sample's name.
    """
    try:
        if isinstance(raw, np.ndarray) or not (hasattr(raw, "mask") or hasattr(raw, "heat")):
            return _of_array(raw, sample)
        mask, heat = getattr(raw, "mask", None), getattr(raw, "heat", None)
        if mask is None and heat is None:
            raise MaskError("has neither mask nor heat")
        return Prediction(
            mask=None if mask is None else _mask(_array(mask), sample.size),
            heat=None if heat is None else _heat(_array(heat)),
            point=_point(getattr(raw, "point", None)),
            boxes=_boxes(getattr(raw, "boxes", None)),
        )
    except MaskError as error:
        raise MaskError(f"prediction for {sample.id}: {error}") from None


def _of_array(raw: Any, sample: Sample) -> Prediction:
    if not isinstance(raw, np.ndarray) and not hasattr(raw, "__array__") and not hasattr(raw, "detach"):
        raise MaskError(
            f"is {type(raw).__name__}; give a bool array (mask), a float array (heat) or a Prediction"
            + ("; numpy.array(…) makes an array of a list" if isinstance(raw, (list, tuple)) else _hint_of_picture(raw))
        )
    array = _array(raw)
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.integer):
        return Prediction(mask=_mask(array, sample.size))
    return Prediction(heat=_heat(array))


def _array(raw: Any) -> np.ndarray:
    """The numbers of an array of any library, without importing it; gradients and devices are left behind."""
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
        # What refuses says what to call: CuPy's arrays, sparse tensors.
        raise MaskError(f"cannot be read as an array: {' '.join(str(error).split())}") from None


def _hint_of_picture(raw: Any) -> str:
    """What to do with a PIL image; empty for anything else. Numbers in a palette's picture mean colours, not a mask."""
    if not (isinstance(getattr(raw, "mode", None), str) and callable(getattr(raw, "getpixel", None))):
        return ""
    return "; give a bool array (H, W) that is True on the object, such as numpy.array(image) > 0 of one channel"


def _mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if np.issubdtype(mask.dtype, np.integer):
        mask = _of_numbers(mask)
    if mask.dtype != np.bool_:
        raise MaskError(f"its mask is {mask.dtype}; a mask is bool (compare with a threshold first)")
    if mask.shape != tuple(size):
        turned = ": its axes are swapped, or the size of its code is" if mask.shape == tuple(size)[::-1] else ""
        raise MaskError(f"its mask is {_by(mask.shape)}, the image is {_by(size)} (height x width){turned}")
    return mask


def _of_numbers(mask: np.ndarray) -> np.ndarray:
    """The mask that whole numbers mean, if they are all 0 and 1, or all 0 and 255."""
    inside = mask != 0
    top = int(mask.max(initial=0))
    if top not in (0, 1, 255) or not (mask[inside] == top).all():
        values = np.unique(mask)
        shown = ", ".join(map(str, values[:4].tolist())) + (", …" if values.size > 4 else "")
        raise MaskError(
            f"is an array of {mask.dtype} with the values {shown}; a mask is bool, a heat is float (whole numbers are "
            "a mask if they are 0 and 1 alone, or 0 and 255)"
        )
    return inside


def _heat(heat: np.ndarray) -> np.ndarray:
    if not np.issubdtype(heat.dtype, np.floating):
        raise MaskError(f"is an array of {heat.dtype}; a mask is bool, a heat is float")
    if heat.ndim != 2 or 0 in heat.shape:
        raise MaskError(f"its heat has shape {heat.shape}; a heat is (height, width)")
    # float32 is what the interpolation, and so every rule, computes in.
    with np.errstate(over="ignore", invalid="ignore"):
        heat = heat.astype(np.float32, copy=False)
    if not np.isfinite(heat).all():
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
    # Asked for floats, numpy would read them out of texts.
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


def inner_of(method: Any) -> Any:
    """The method itself where a wrapper stands round it."""
    return getattr(method, "wrapped", method)


def make(
    name: str,
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    data_root: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """A method from its entry point.

    Args:
        name: of an entry point in ``risbench.methods``.
        weights: a file or a name the method knows.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split's name, given to factories that ask for it.
        data_root: where the split lies, given to factories that ask for it.
        options: texts, converted by the factory's annotations.

    Returns:
        The method and the converted options, defaults included.

    Raises:
        UsageError: an unknown method or option, or a text that does not convert.
    """
    factory = plugins.load(plugins.METHODS, name)
    if not callable(factory):
        place = plugins.installed(plugins.METHODS)[name].value
        raise RisbenchError(
            f"method '{name}': {place} is {type(factory).__name__}, not a function that makes the method"
        )
    try:
        accepted = inspect.signature(factory, eval_str=True).parameters
    except NameError as error:
        raise RisbenchError(f"method '{name}': an annotation of its factory cannot be read: {error}") from error
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    arguments: dict[str, Any] = {}
    given = {"weights": weights, "device": device, "split": split, "data_root": data_root}
    for key, value in given.items():
        if key in accepted or (open_ended and key in ("weights", "device")):
            arguments[key] = value
        elif key == "weights" and value is not None:
            raise UsageError(f"method '{name}' takes no weights")
    own = {key: item for key, item in accepted.items() if key not in given}
    named = {key: item for key, item in own.items() if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)}
    chosen: dict[str, Any] = {}
    for key, text in (options or {}).items():
        if key in given:
            raise UsageError(f"--set {key}=…: give --{key.replace('_', '-')} instead")
        if key not in named and not open_ended:
            hint = plugins.near(key, named) if named else "it has no options"
            raise UsageError(f"method '{name}' has no option '{key}': {hint}")
        chosen[key] = converted(key, text, named[key].annotation) if key in named else text
    for key, item in accepted.items():
        needed = item.default is item.empty and item.kind in (item.KEYWORD_ONLY, item.POSITIONAL_OR_KEYWORD)
        if needed and key not in chosen and arguments.get(key) is None:
            step = f"--{key.replace('_', '-')}" if key in given else f"--set {key}=…"
            raise UsageError(f"method '{name}' needs {step}")
    defaults = {key: item.default for key, item in named.items() if item.default is not item.empty}
    with Watched(f"making method '{name}'", factory, refusals_too=False):
        made = factory(**arguments, **chosen)
    if made is None:
        place = plugins.installed(plugins.METHODS)[name].value
        raise RisbenchError(f"method '{name}': its factory {place} returned None; it must return the method")
    return made, {**defaults, **chosen}


def converted(key: str, text: str, annotation: Any) -> Any:
    """An option's text as its annotation asks: bool, int, float, str, Path, Literal, or the first of several that fits.

    Raises:
        UsageError: the text does not convert.
    """
    origin = typing.get_origin(annotation)
    choices = [item for item in typing.get_args(annotation) if item is not type(None)]
    if origin in (typing.Union, types.UnionType):
        if text.lower() == "none" and len(choices) < len(typing.get_args(annotation)):
            return None
        for choice in choices[:-1]:
            try:
                return converted(key, text, choice)
            except UsageError:
                continue
        return converted(key, text, choices[-1])
    if origin is typing.Literal:
        for choice in choices:
            if str(choice) == text:
                return choice
        raise UsageError(f"--set {key}={text}: must be one of {', '.join(map(str, choices))}")
    if annotation is bool:
        if text.lower() in ("true", "1", "yes", "on"):
            return True
        if text.lower() in ("false", "0", "no", "off"):
            return False
        raise UsageError(f"--set {key}={text}: must be true or false")
    if annotation in (int, float, Path):
        try:
            return annotation(text)
        except ValueError:
            raise UsageError(f"--set {key}={text}: must be a number ({annotation.__name__})") from None
    return text
