"""The authors' variables by name, and what each becomes here: TensorFlow's layout of numbers against torch's."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from risbench import DataError

from .bundle import Bundle
from .config import MgConfig

ROOT = "GroundNet/"
# In the file, and read by nothing here: VGG's dense layers (the authors' graph has them too, and reads them as little),
# counters, slots of optimisers, and ELMo's own variables, where someone trained them.
UNREAD = re.compile(
    r"/vgg_16/fc\d|(^|/)global_step$|/Adam(_\d+)?$|(^|/)beta[12]_power|/Momentum$|(^|/)(bilm|aggregation)/|/ExponentialMovingAverage$"
)
_VGG = re.compile(r"image_block/vgg_16/conv\d/(conv\d_\d)/(weights|biases)$")
_HEAD = re.compile(r"mapping/image_mapping/(v\d+)_postConv/conv2d(?:_(\d+))?/(kernel|bias)$")
_DENSE = re.compile(r"mapping/text_mapping/((?:word|sentence)_level/dense(?:_1)?)/(kernel|bias)$")
_LSTM = re.compile(r"text_block/.*bidirectional_rnn/(fw|bw)/(?:basic_)?lstm_cell/(kernel|bias)$")
_MIX = re.compile(r"text_block/.*?(Aggr_W|dense/kernel|dense/bias)$")
_PARTS = {"weights": "weight", "kernel": "weight", "biases": "bias", "bias": "bias"}


def looks_like_authors(names: Collection[str]) -> bool:
    """Whether a set of names is that of an MG checkpoint of TensorFlow."""
    return any(name.startswith(ROOT + "mapping/") or f"/{ROOT}mapping/" in name for name in names)


def config_of(bundle: Bundle) -> MgConfig:
    """The sizes of a checkpoint, by its names and shapes, in the published edition.

    Raises:
        DataError: its trunk is no VGG-16, or it has no text side.
    """
    names = list(bundle.entries)
    if not any("/vgg_16/" in name for name in names):
        pnas = any("cell_" in name for name in names)
        raise DataError(
            f"{bundle.prefix} is an MG with {'PNASNet-5' if pnas else 'another trunk than VGG-16'}, which is not built "
            "here; get the authors' VGG-16"
        )
    kernels = {
        match[2]: bundle.entries[name].shape
        for name in names
        if (match := _HEAD.search(name)) and match[3] == "kernel" and match[1] == "v1"
    }
    widths: dict[int, dict[int, int]] = {}
    for name in names:
        if (match := _VGG.search(name)) and match[2] == "weights":
            stage, place = map(int, match[1][4:].split("_"))
            widths.setdefault(stage, {})[place] = (*bundle.entries[name].shape, 0)[3:4][0]
    text = "bilstm" if any(_LSTM.search(name) for name in names) else "elmo"
    dense = next((bundle.entries[name].shape for name in names if name.endswith("word_level/dense/kernel")), ())
    heads = [kernels[place] for place in (None, "1", "2") if place in kernels]
    if not heads or any(len(shape) != 4 for shape in heads) or len(dense) != 2 or sorted(widths) != [1, 2, 3, 4, 5]:
        raise DataError(f"{bundle.prefix} is a part of an MG: it lacks its trunk, its heads or its dense layers")
    return MgConfig(
        widths=tuple(tuple(widths[stage][place] for place in sorted(widths[stage])) for stage in sorted(widths)),
        head=tuple(shape[3] for shape in heads),
        kernel=heads[0][0],
        text=text,
        embed=dense[0] // 2,
    )


def state_of(bundle: Bundle) -> dict[str, Tensor]:
    """The tensors of a checkpoint under our names; what nothing reads is not read from the file either.

    Raises:
        DataError: a variable has an unknown name, or cannot be read.
    """
    found: dict[str, Tensor] = {}
    lstm: dict[tuple[str, str], np.ndarray] = {}
    strangers = []
    bundle.refuse_more(name for name in bundle.entries if not UNREAD.search(name))
    for name in bundle.entries:
        if UNREAD.search(name):
            continue
        value = bundle.read(name)
        if match := _VGG.search(name):
            found[f"vgg.{match[1]}.{_PARTS[match[2]]}"] = _convolution(value)
        elif match := _HEAD.search(name):
            found[f"image_mapping.{match[1]}.{match[2] or 0}.{_PARTS[match[3]]}"] = _convolution(value)
        elif match := _DENSE.search(name):
            found[f"text_mapping.{match[1].replace('/', '.')}.{_PARTS[match[2]]}"] = _turned(value)
        elif match := _LSTM.search(name):
            lstm[match[1], match[2]] = value
        elif match := _MIX.search(name):
            key = {"Aggr_W": "text.Aggr_W", "dense/kernel": "text.dense.weight", "dense/bias": "text.dense.bias"}[
                match[1]
            ]
            found[key] = _turned(value)
        else:
            strangers.append(name)
    if strangers:
        some = ", ".join(strangers[:3])
        raise DataError(f"{bundle.prefix} has {len(strangers)} variables that no MG has ({some:.160})")
    for end, suffix in (("fw", ""), ("bw", "_reverse")):
        if (end, "kernel") in lstm and (end, "bias") in lstm:
            found |= lstm_state(lstm[end, "kernel"], lstm[end, "bias"], suffix)
    return found


def lstm_state(kernel: np.ndarray, bias: np.ndarray, suffix: str) -> Mapping[str, Tensor]:
    """TensorFlow's LSTM cell as torch's.

    TensorFlow has one matrix for input and state, its gates in the order input, candidate, forget, output, and adds 1
    to the forget gate when it runs. Torch has two matrices and biases, the order input, forget, candidate, output, and
    adds nothing.

    Args:
        kernel: ``(E + H, 4 H)``.
        bias: ``(4 H,)``.
        suffix: of torch's names, ``_reverse`` for the backward direction.
    """
    hidden = len(bias) // 4
    if kernel.ndim != 2 or kernel.shape[1] != 4 * hidden or kernel.shape[0] <= hidden or not hidden:
        raise DataError(f"an LSTM cell has a kernel {kernel.shape} and a bias {bias.shape}, which do not fit together")
    gates = {name: bias[at * hidden : (at + 1) * hidden] for at, name in enumerate("ijfo")}
    gates["f"] = gates["f"] + 1
    columns = {name: kernel[:, at * hidden : (at + 1) * hidden] for at, name in enumerate("ijfo")}
    whole = np.concatenate([columns[name] for name in "ifjo"], 1).T
    inputs = whole.shape[1] - hidden
    return {
        f"text.lstm.weight_ih_l0{suffix}": torch.from_numpy(whole[:, :inputs].copy()),
        f"text.lstm.weight_hh_l0{suffix}": torch.from_numpy(whole[:, inputs:].copy()),
        f"text.lstm.bias_ih_l0{suffix}": torch.from_numpy(np.concatenate([gates[name] for name in "ifjo"])),
        f"text.lstm.bias_hh_l0{suffix}": torch.zeros(4 * hidden),
    }


def _convolution(value: np.ndarray) -> Tensor:
    """A kernel ``(height, width, in, out)`` -> ``(out, in, height, width)``; a bias as it is."""
    return torch.from_numpy(np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value))


def _turned(value: np.ndarray) -> Tensor:
    """A dense kernel ``(in, out)`` -> ``(out, in)``; a vector as it is."""
    return torch.from_numpy(np.ascontiguousarray(value.T))
