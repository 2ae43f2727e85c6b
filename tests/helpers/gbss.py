"""GbS networks with drawn weights in the authors' layout, and an independent forward pass by the names of a file.

The functions here compute from a state dict alone, after the paper and the facts; they share no code with
``baselines.gbs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines._bert import BertSizes
from baselines.gbs.config import GbsConfig
from baselines.gbs.model import GbsModel

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "red",
    "circle",
    "left",
    "##most",
    "on",
    "of",
    "blue",
    "dog",
)
# BERT's heads have 64 channels, as in all published files, so that the layout shows the sizes.
BERT = BertSizes(vocabulary=len(WORDS), positions=24, width=64, depth=2, heads=1, hidden=48)
SMALL = GbsConfig(widths=((4, 4), (6, 6), (8, 8, 8), (10,), (12, 12)), decoder=(9,), bottleneck=7, bert=BERT)


def gbs(config: GbsConfig = SMALL, seed: int = 0) -> GbsModel:
    """A GbS of which every weight is drawn, so that nothing is 0 or 1 and every part shows in the answer."""
    torch.manual_seed(seed)
    model = GbsModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
            elif weight.ndim == 4:
                weight.normal_(std=(2 / weight[0].numel()) ** 0.5)
            elif "word_embeddings" in name:
                weight.normal_(std=1.0)
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(std=0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return model


def checkpoint_of(model: GbsModel, *, bert: bool = True, old: bool = False, img2txt: bool = True) -> dict[str, Any]:
    """What the authors' training saves; ``old`` with the names of its earlier versions."""
    state = {key: value for key, value in model.state_dict().items() if bert or "caption_model" not in key}
    if bert:
        width = model.bert.sizes.width
        state["model.caption_model.model.pooler.dense.weight"] = torch.randn(width, width)
        state["model.caption_model.model.pooler.dense.bias"] = torch.randn(width)
        state["model.caption_model.model.embeddings.position_ids"] = torch.arange(model.bert.sizes.positions)[None]
    if old:
        state = {key.replace("decoder_blocks", "up_blocks"): value for key, value in state.items()}
        state["model.image_model.scale_conv_up.weight"] = torch.randn(3, 3, 1, 1)
    moments = {0: {"step": 3, "exp_avg": torch.zeros(3)}}
    return {
        "epoch": 9,
        "global_step": 12345,
        "model_state_dict": state,
        "optimizer_state_dict": {"state": moments, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "model_class": "CondAlphaMapTM",
        "backbone": "vgg",
        "img2txt": img2txt,
        "decoder_depths": list(model.image_model.config.decoder),
    }


def made_up_gbs(path: Path, config: GbsConfig = SMALL, *, words: bool = True, **how: Any) -> Path:
    """A file of the authors' layout, and its vocabulary beside it."""
    torch.save(checkpoint_of(gbs(config), **how), path)
    if words:
        more = (f"word{number}" for number in range(config.bert.vocabulary - len(WORDS)))
        (path.parent / "vocab.txt").write_text("".join(f"{word}\n" for word in (*WORDS, *more)))
    return path


def full_gbs(folder: Path) -> str:
    """A GbS of the published sizes."""
    return str(made_up_gbs(folder / "checkpoint.dict", GbsConfig()))


State = Mapping[str, Tensor]


def _norm(state: State, name: str, x: Tensor, training: bool) -> Tensor:
    if training:
        mean, spread = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    else:
        mean, spread = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    x = (x - mean[:, None, None]) / torch.sqrt(spread + 1e-5)[:, None, None]
    return x * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


def levels_by_hand(state: State, images: Tensor, training: bool = False) -> list[Tensor]:
    """The images and the five levels."""
    places = sorted({int(key.split(".")[2]) for key in state if key.startswith("backbone.layers.")})
    convolutions = [place for place in places if state[f"backbone.layers.{place}.weight"].ndim == 4]
    found, x = [images], images
    for place in convolutions:
        x = F.conv2d(x, state[f"backbone.layers.{place}.weight"], state[f"backbone.layers.{place}.bias"], padding=1)
        x = _norm(state, f"backbone.layers.{place + 1}", x, training).clamp(min=0)
        if place + 3 not in convolutions:
            rows, columns = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
            x = x[:, :, :rows, :columns].unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))
            found.append(x)
    return found


def block_by_hand(state: State, name: str, x: Tensor, training: bool = False) -> Tensor:
    """A 3x3 convolution and the bottleneck on it."""
    x = F.conv2d(x, state[f"{name}.conv0.weight"], padding=1)
    y = _norm(state, f"{name}.bn1", F.conv2d(x, state[f"{name}.conv1.weight"]), training).clamp(min=0)
    y = _norm(state, f"{name}.bn2", F.conv2d(y, state[f"{name}.conv2.weight"], padding=1), training).clamp(min=0)
    return (_norm(state, f"{name}.bn3", F.conv2d(y, state[f"{name}.conv3.weight"]), training) + x).clamp(min=0)


def map_by_hand(state: State, levels: list[Tensor], text: Tensor | None, training: bool = False) -> Tensor:
    """The raw map under a text, or without one, of a network with one block in its decoder."""
    skips = []
    for place, x in enumerate((levels[-1], levels[-2])):
        if text is None:
            skips.append(x / torch.sqrt((x * x).sum(1, keepdim=True)).clamp(min=1e-12))
            continue
        c = text @ state[f"conditions.{place}.cap_fc.weight"].T + state[f"conditions.{place}.cap_fc.bias"]
        skips.append(torch.stack([one * torch.exp(-torch.abs(one - c[at][:, None, None])) for at, one in enumerate(x)]))
    x = block_by_hand(state, "decoder_blocks.0", skips[0], training)
    x = F.interpolate(x, size=skips[1].shape[2:], mode="bilinear", align_corners=False)
    return F.conv2d(torch.cat([skips[1], x], 1), state["last_conv.weight"], padding=1)


def cells_by_hand(state: State, levels: list[Tensor], training: bool = False, side: int = 32) -> list[Tensor]:
    """For each level ``(B, D, 32, 32)`` of unit length over D."""
    found = []
    for place, level in enumerate(levels[1:]):
        x = block_by_hand(state, f"pre_cond.{place}", level, training)
        x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=True)
        x = F.conv2d(x, state["scale_conv.weight"])
        found.append(x / x.norm(dim=1, keepdim=True).clamp(min=1e-12))
    return found


def lookup_by_hand(cells: list[Tensor], word: Tensor) -> tuple[float, Tensor]:
    """A word in one image, level by level: the best level's score and heat.

    Args:
        cells: for each level ``(D, h, w)``.
        word: ``(D,)`` of unit length, or of zeros.
    """
    best, map_of_best = None, torch.zeros(1)
    for level in cells:
        heat = torch.einsum("d,dhw->hw", word, level).clamp(min=0)
        found = (level * heat).sum((1, 2))
        score = float(found @ word / found.norm().clamp(min=1e-12))
        if best is None or score > best:
            best, map_of_best = score, heat
    assert best is not None
    return best, map_of_best
