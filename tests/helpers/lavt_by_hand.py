"""LAVT's image encoder and decoder once more, patch by patch and window by window, in float64 and from the facts alone.

Nothing is shared with ``baselines.lavt`` but the names of the weights. One image and one expression at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import erf, softmax

State = Mapping[str, np.ndarray]


class ByHand:
    """The network of some weights."""

    def __init__(self, state: State, depths: tuple[int, ...], heads: tuple[int, ...], window: int):
        self.state = {key: np.asarray(value, np.float64) for key, value in state.items() if "index" not in key}
        self.depths, self.heads, self.window = depths, heads, window

    def maps(self, image: np.ndarray, words: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """The four fused maps, ``(C, h, w)``, of an image ``(3, H, W)`` and words ``(T, D)``."""
        x = self.patches(image)
        found = []
        for stage, depth in enumerate(self.depths):
            for block in range(depth):
                x = self.block(x, f"backbone.layers.{stage}.blocks.{block}.", self.heads[stage], block % 2 == 1)
            fused = self.fused(x, words, mask, f"backbone.layers.{stage}.")
            found.append(self.norm(fused, f"backbone.norm{stage}.").transpose(2, 0, 1))
            if stage < 3:
                gate = f"backbone.layers.{stage}.res_gate."
                opened = np.tanh(
                    np.maximum(fused @ self.state[gate + "0.weight"].T, 0) @ self.state[gate + "2.weight"].T
                )
                x = self.merged(x + opened * fused, f"backbone.layers.{stage}.downsample.")
        return found

    def patches(self, image: np.ndarray) -> np.ndarray:
        """``(3, H, W)`` -> ``(h, w, C)``."""
        weight, bias = (self.state[f"backbone.patch_embed.proj.{name}"] for name in ("weight", "bias"))
        side = weight.shape[2]
        rows, columns = (math.ceil(size / side) for size in image.shape[1:])
        whole = np.zeros((3, rows * side, columns * side))
        whole[:, : image.shape[1], : image.shape[2]] = image
        x = np.zeros((rows, columns, len(weight)))
        for row in range(rows):
            for column in range(columns):
                patch = whole[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
                x[row, column] = [(kernel * patch).sum() for kernel in weight] + bias
        return self.norm(x, "backbone.patch_embed.norm.")

    def block(self, x: np.ndarray, name: str, heads: int, shifted: bool) -> np.ndarray:
        """A Swin block: for every patch of every window, what it gets from each other patch of the window."""
        side = self.window
        height, width, channels = x.shape
        rows, columns = (math.ceil(size / side) * side for size in (height, width))
        shift = side // 2 if shifted else 0
        tokens = np.zeros((rows, columns, channels))
        tokens[:height, :width] = self.norm(x, name + "norm1.")
        table = self.state[name + "attn.relative_position_bias_table"]
        attended = np.zeros_like(tokens)
        for top in range(0, rows, side):
            for left in range(0, columns, side):
                places = [(r, c) for r in range(top, top + side) for c in range(left, left + side)]
                # The place of the shifted map shows the patch that lies ``shift`` further on, round the edge.
                actual = [((r + shift) % rows, (c + shift) % columns) for r, c in places]
                inside = np.stack([tokens[place] for place in actual])
                qkv = self.linear(inside, name + "attn.qkv.").reshape(len(places), 3, heads, channels // heads)
                out = np.zeros((len(places), heads, channels // heads))
                bias, apart = self.pairs(places, table, (rows, columns), shift)
                for head in range(heads):
                    query, key, value = qkv[:, :, head].transpose(1, 0, 2)
                    scores = query * (channels // heads) ** -0.5 @ key.T + bias[:, :, head] - 100 * apart
                    out[:, head] = softmax(scores, 1) @ value
                projected = self.linear(out.reshape(len(places), channels), name + "attn.proj.")
                for place, row in zip(actual, projected, strict=True):
                    attended[place] = row
        x = x + attended[:height, :width]
        return x + self.linear(gelu(self.linear(self.norm(x, name + "norm2."), name + "mlp.fc1.")), name + "mlp.fc2.")

    def pairs(
        self, places: list[tuple[int, int]], table: np.ndarray, size: tuple[int, int], shift: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """For every pair of places of a window the biases, and whether a shift alone brought them together."""
        side = self.window
        bias = np.zeros((len(places), len(places), table.shape[1]))
        apart = np.zeros((len(places), len(places)), bool)
        for one, (r, c) in enumerate(places):
            for other, (r2, c2) in enumerate(places):
                bias[one, other] = table[(r - r2 + side - 1) * (2 * side - 1) + (c - c2 + side - 1)]
                if shift:
                    apart[one, other] = region(r, size[0], side, shift) != region(r2, size[0], side, shift) or region(
                        c, size[1], side, shift
                    ) != region(c2, size[1], side, shift)
        return bias, apart

    def fused(self, x: np.ndarray, words: np.ndarray, mask: np.ndarray, name: str) -> np.ndarray:
        """PWAM: ``(h, w, C)`` and words ``(T, D)``, their mask ``(T,)`` -> ``(h, w, C)``."""
        attention = name + "fusion.image_lang_att."
        pixels = x.reshape(-1, x.shape[2])
        query = standardised(self.conv1(pixels, attention + "f_query.0."))
        key, value = (self.conv1(words, f"{attention}{part}.0.") * mask[:, None] for part in ("f_key", "f_value"))
        scores = query @ key.T / math.sqrt(x.shape[2]) + (1e4 * mask - 1e4)
        collected = standardised(self.conv1(softmax(scores, 1) @ value, attention + "W.0."))
        multiplied = gelu(self.conv1(pixels, name + "fusion.vis_project.0.")) * collected
        return gelu(self.conv1(multiplied, name + "fusion.project_mm.0.")).reshape(x.shape)

    def merged(self, x: np.ndarray, name: str) -> np.ndarray:
        """Patch merging."""
        rows, columns = (math.ceil(size / 2) for size in x.shape[:2])
        whole = np.zeros((2 * rows, 2 * columns, x.shape[2]))
        whole[: x.shape[0], : x.shape[1]] = x
        order = ((0, 0), (1, 0), (0, 1), (1, 1))
        joined = np.stack(
            [
                [np.concatenate([whole[2 * r + dr, 2 * c + dc] for dr, dc in order]) for c in range(columns)]
                for r in range(rows)
            ]
        )
        return self.norm(joined, name + "norm.") @ self.state[name + "reduction.weight"].T

    def logits(self, maps: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
        """The decoder: four maps -> ``(2, H, W)``."""
        x = maps[3]
        for level, skip in ((4, maps[2]), (3, maps[1]), (2, maps[0])):
            if x.shape[1] < skip.shape[1] or x.shape[2] < skip.shape[2]:
                x = corners_on_corners(x, skip.shape[1:])
            x = np.concatenate([x, skip])
            for number in (1, 2):
                x = convolved(x, self.state[f"classifier.conv{number}_{level}.weight"])
                norm = {
                    part: self.state[f"classifier.bn{number}_{level}.{part}"][:, None, None]
                    for part in ("weight", "bias", "running_mean", "running_var")
                }
                x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
                x = np.maximum(x, 0)
        weight, bias = self.state["classifier.conv1_1.weight"][:, :, 0, 0], self.state["classifier.conv1_1.bias"]
        return corners_on_corners(np.einsum("oc,chw->ohw", weight, x) + bias[:, None, None], size)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        """LayerNorm over the last axis."""
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * self.state[name + "weight"] + self.state[name + "bias"]

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        """``(N, C)`` or more -> the same with other channels."""
        return x @ self.state[name + "weight"].T + self.state[name + "bias"]

    def conv1(self, x: np.ndarray, name: str) -> np.ndarray:
        """A convolution of size 1 over rows."""
        return x @ self.state[name + "weight"][:, :, 0].T + self.state[name + "bias"]


def region(place: int, whole: int, side: int, shift: int) -> int:
    """Which of the three strips of a shifted axis a place lies in."""
    return 0 if place < whole - side else 1 if place < whole - shift else 2


def gelu(x: np.ndarray) -> np.ndarray:
    """The exact one."""
    return x * (1 + erf(x / math.sqrt(2))) / 2


def standardised(x: np.ndarray) -> np.ndarray:
    """Instance norm over the rows."""
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def convolved(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """3 x 3, with zeros round the map."""
    height, width = x.shape[1:]
    whole = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    return sum(
        np.einsum("oc,chw->ohw", weight[:, :, r, c], whole[:, r : r + height, c : c + width])
        for r in range(3)
        for c in range(3)
    )  # type: ignore[return-value]


def corners_on_corners(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Bilinear, the corners' centres on one another."""
    for axis, new in ((1, size[0]), (2, size[1])):
        old = x.shape[axis]
        places = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0)
        low = np.minimum(np.floor(places).astype(int), max(old - 2, 0))
        part = places - low
        shape = [1, 1, 1]
        shape[axis] = new
        part = part.reshape(shape)
        x = x.take(low, axis) * (1 - part) + x.take(np.minimum(low + 1, old - 1), axis) * part
    return x
