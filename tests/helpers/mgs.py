"""MG as its authors' checkpoints hold it: made-up variables under their names, and the forward pass from the facts.

The forward pass is NumPy alone, written for these tests; it shares no code with the network that is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from helpers.bundles import BundleWriter, fast_checksums

STAGES = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)
Arrays = Mapping[str, np.ndarray]


def variables(
    text: str = "elmo", seed: int = 0, widths: tuple[int, ...] = WIDTHS, space: int = 1024, embed: int = 512,
    fc: bool = False,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The variables of a checkpoint: ELMo with three 1x1 convolutions, or a BiLSTM with one of 3x3."""
    draw = np.random.default_rng(seed)

    def some(*shape: int, scale: float = 1.0) -> np.ndarray:
        fan = int(np.prod(shape[:-1])) or 1
        return (draw.standard_normal(shape) * scale * (2 / fan) ** 0.5).astype(np.float32)

    found: dict[str, np.ndarray] = {}
    before = 3
    for stage, (count, width) in enumerate(zip(STAGES, widths, strict=True), start=1):
        for place in range(1, count + 1):
            name = f"GroundNet/image_block/vgg_16/conv{stage}/conv{stage}_{place}"
            scale = 1.0 if before != 3 else 0.02  # the pixels go to 255
            found[f"{name}/weights"] = some(3, 3, before, width, scale=scale)
            found[f"{name}/biases"] = some(width, scale=0.2)
            before = width
    if fc:
        found["GroundNet/image_block/vgg_16/fc6/weights"] = some(7, 7, before, 4096)
        found["GroundNet/image_block/vgg_16/fc6/biases"] = some(4096)
        found["GroundNet/image_block/vgg_16/fc7/weights"] = some(1, 1, 4096, 4096)
        found["GroundNet/image_block/vgg_16/fc7/biases"] = some(4096)
    for level in range(1, 5):
        before = widths[3] if level < 3 else widths[4]
        for place in range(3 if text == "elmo" else 1):
            name = f"GroundNet/mapping/image_mapping/v{level}_postConv/conv2d" + (f"_{place}" if place else "")
            side = 1 if text == "elmo" else 3
            found[f"{name}/kernel"] = some(side, side, before, space)
            found[f"{name}/bias"] = some(space, scale=0.2)
            before = space
    for kind in ("word_level", "sentence_level"):
        for place, before in enumerate((2 * embed, space)):
            name = f"GroundNet/mapping/text_mapping/{kind}/dense" + (f"_{place}" if place else "")
            found[f"{name}/kernel"] = some(before, space)
            found[f"{name}/bias"] = some(space, scale=0.2)
    home = "GroundNet/text_block/text_post_process"
    if text == "elmo":
        found[f"{home}/Aggr_W"] = np.array([0.7, -0.4, 0.2], np.float32)
        found[f"{home}/dense/kernel"] = np.array([[0.6], [-0.9]], np.float32)
    else:
        for way in ("fw", "bw"):
            cell = f"{home}/BiLSTM/bidirectional_rnn/{way}/lstm_cell"
            found[f"{cell}/kernel"] = some(2 * embed, 4 * embed)
            found[f"{cell}/bias"] = some(4 * embed, scale=0.3)
        found[f"{home}/BiLSTM/dense/kernel"] = np.array([[0.6], [0.9]], np.float32)
        found[f"{home}/BiLSTM/dense/bias"] = np.array([0.05], np.float32)
    return found


def small(text: str = "elmo", seed: int = 0) -> dict[str, np.ndarray]:
    """The same names with few channels."""
    return variables(text, seed, widths=(4, 4, 6, 8, 10), space=12, embed=6)


def save(arrays: Arrays, prefix: Path, shards: int = 1) -> Path:
    writer = BundleWriter(shards)
    for name in sorted(arrays):
        writer.array(name, arrays[name])
    return writer.save(prefix)


def features(
    batch: int = 2, words: int = 4, embed: int = 6, seed: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made-up outputs of ELMo: character CNN and two LSTM layers."""
    draw = np.random.default_rng(seed)
    shapes = ((batch, words, embed), (batch, words, 2 * embed), (batch, words, 2 * embed))
    first, second, third = (draw.standard_normal(shape).astype(np.float32) for shape in shapes)
    return first, second, third


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.25 * x)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.maximum((x * x).sum(-1, keepdims=True), 1e-12))


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Channels last, zeros round the map, as TensorFlow's SAME with an odd kernel and stride 1."""
    side = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
    out = np.zeros((*x.shape[:3], kernel.shape[3]))
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            out += padded[:, row : row + x.shape[1], column : column + x.shape[2]] @ kernel[row, column]
    return out + bias


def resized(x: np.ndarray, size: int) -> np.ndarray:
    """TensorFlow 1's bilinear rule, a cell at a time."""
    old = x.shape[1]
    out = np.zeros((len(x), size, size, x.shape[3]))
    for row in range(size):
        for column in range(size):
            up, left = row * old / size, column * old / size
            top, start = int(up), int(left)
            bottom, end = min(top + 1, old - 1), min(start + 1, old - 1)
            over = x[:, top, start] * (1 - left + start) + x[:, top, end] * (left - start)
            under = x[:, bottom, start] * (1 - left + start) + x[:, bottom, end] * (left - start)
            out[:, row, column] = over * (1 - up + top) + under * (up - top)
    return out


def cells(arrays: Arrays, images: np.ndarray) -> np.ndarray:
    """Unit vectors ``(B, 4, N, D)`` of images ``(B, S, S, 3)``."""
    x = images - np.array([123.68, 116.78, 103.94])
    kept = {}
    for stage, count in enumerate(STAGES, start=1):
        if stage > 1:
            height = x.shape[1] // 2
            parts = [x[:, a : a + 2 * height : 2, b : b + 2 * height : 2] for a in (0, 1) for b in (0, 1)]
            parts = [part[:, :height, :height] for part in parts]
            x = np.maximum.reduce(parts)
        for place in range(1, count + 1):
            name = f"GroundNet/image_block/vgg_16/conv{stage}/conv{stage}_{place}"
            x = kept[stage, place] = np.maximum(convolved(x, arrays[f"{name}/weights"], arrays[f"{name}/biases"]), 0)
    size = kept[4, 1].shape[1]
    levels = []
    for number, place in enumerate(((4, 1), (4, 3), (5, 1), (5, 3)), start=1):
        y = resized(kept[place], size)
        for layer in ("", "_1", "_2"):
            name = f"GroundNet/mapping/image_mapping/v{number}_postConv/conv2d{layer}"
            if f"{name}/kernel" in arrays:
                y = leaky(convolved(y, arrays[f"{name}/kernel"], arrays[f"{name}/bias"]))
        levels.append(unit(y.reshape(len(y), -1, y.shape[3])))
    return np.stack(levels, 1)


def dense(arrays: Arrays, kind: str, x: np.ndarray) -> np.ndarray:
    for layer in ("dense", "dense_1"):
        name = f"GroundNet/mapping/text_mapping/{kind}/{layer}"
        x = unit(leaky(x @ arrays[f"{name}/kernel"] + arrays[f"{name}/bias"]))
    return x


def lstm(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """TensorFlow's cell over one sentence ``(T, E)``."""

    def sigmoid(value: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-value))

    hidden = len(bias) // 4
    state, cell, out = np.zeros(hidden), np.zeros(hidden), []
    for row in x:
        i, j, f, o = np.split(np.concatenate([row, state]) @ kernel + bias, 4)
        cell = sigmoid(f + 1.0) * cell + sigmoid(i) * np.tanh(j)
        state = sigmoid(o) * np.tanh(cell)
        out.append(state)
    return np.array(out)


def texts(
    arrays: Arrays, layers: tuple[np.ndarray, np.ndarray, np.ndarray], lengths: list[int], mix: str = "thirds"
) -> tuple[np.ndarray, np.ndarray]:
    """Words ``(B, T, D)`` and sentences ``(B, D)``."""
    words, first, second = layers
    home = "GroundNet/text_block/text_post_process"
    twice = np.concatenate([words, words], 2)
    half = words.shape[2]
    last = [length - 1 for length in lengths]
    rows = range(len(words))
    if f"{home}/Aggr_W" in arrays:
        weights = np.exp(arrays[f"{home}/Aggr_W"].astype(np.float64))
        shares = weights / weights.sum() if mix == "stored" else np.full(3, 1 / 3)
        mixed = shares[0] * twice + shares[1] * first + shares[2] * second
        ends = [
            np.stack([np.concatenate([layer[at, 0, half:], layer[at, last[at], :half]]) for at in rows])
            for layer in (first, second)
        ]
        kernel = arrays[f"{home}/dense/kernel"]
        sentence = kernel[0, 0] * ends[0] + kernel[1, 0] * ends[1]
    else:
        layer = np.zeros_like(twice, dtype=np.float64)
        for at in rows:
            own = words[at, : lengths[at]].astype(np.float64)
            for way, order, part in (("fw", 1, slice(0, half)), ("bw", -1, slice(half, None))):
                cell = f"{home}/BiLSTM/bidirectional_rnn/{way}/lstm_cell"
                out = lstm(own[::order], arrays[f"{cell}/kernel"], arrays[f"{cell}/bias"])
                layer[at, : lengths[at], part] = out[::order]
        kernel, bias = arrays[f"{home}/BiLSTM/dense/kernel"], arrays[f"{home}/BiLSTM/dense/bias"]
        mixed = kernel[0, 0] * twice + kernel[1, 0] * layer + bias[0]
        sentence = np.stack([np.concatenate([layer[at, 0, half:], layer[at, last[at], :half]]) for at in rows])
    return dense(arrays, "word_level", mixed), dense(arrays, "sentence_level", sentence)


def attended(pixels: np.ndarray, word: np.ndarray) -> tuple[np.ndarray, float]:
    """The heat ``(N,)`` and the score of one word in the cells ``(N, D)`` of one level."""
    heat = np.maximum(pixels @ word, 0)
    return heat, float(unit((heat[:, None] * pixels).sum(0)) @ word)


def made_up_mg(prefix: Path, text: str = "elmo") -> Path:
    """A full-size checkpoint, written quickly: its checksums are by the code that other tests compare with a loop."""
    from baselines.mg.crc32c import crc32c, masked

    with fast_checksums(lambda raw: masked(crc32c(raw))):
        return save(variables(text), prefix)


def save_features(path: Path, texts: Sequence[str], embed: int = 512) -> Path:
    """Made-up features of ELMo for some texts, in the form that the method reads."""
    lengths = np.array([len(text.split()) for text in texts])
    draw = np.random.default_rng(5)
    widths = {"words": embed, "lstm1": 2 * embed, "lstm2": 2 * embed}
    rows = {name: draw.standard_normal((lengths.sum(), width)).astype(np.float16) for name, width in widths.items()}
    np.savez(path, texts=np.array(texts), lengths=lengths, **rows)  # pyright: ignore[reportArgumentType]
    return path
