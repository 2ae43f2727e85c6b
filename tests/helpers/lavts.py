"""LAVTs with drawn weights in the authors' layouts, small or whole, and words for them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baselines._bert import BertSizes
from baselines.lavt.network import Lavt, drawn_lavt
from baselines.lavt.sizes import LavtSizes

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
SMALL = LavtSizes(
    embed=8, depths=(2, 2, 3, 2), heads=(1, 2, 2, 4), window=3, decoder=6,
    bert=BertSizes(vocabulary=len(WORDS), positions=24, width=64, depth=2, heads=1, hidden=48),
)  # fmt: skip


def lavt(sizes: LavtSizes = SMALL, seed: int = 0) -> Lavt:
    """A LAVT of which every weight is drawn, so that nothing is 0 or 1 and every part shows in the answer."""
    torch.manual_seed(seed)
    network = drawn_lavt(sizes).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
            elif "res_gate" in name or "attn.qkv" in name:
                weight.normal_(std=1.5 * weight.shape[1] ** -0.5)
            elif "bias_table" in name:
                weight.normal_(std=0.5)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network


def checkpoint_of(
    network: Lavt, kind: str = "lavt", *, pooler: bool = False, positions: bool = False
) -> dict[str, Any]:
    """What the authors' training saves: ``lavt`` with BERT beside the model, ``lavt_one`` with BERT in it."""
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("text_encoder.")}
    bert = dict(network.text_encoder.state_dict())
    width = network.sizes.bert.width
    if pooler:
        bert |= {"pooler.dense.weight": torch.randn(width, width), "pooler.dense.bias": torch.randn(width)}
    if positions:
        bert["embeddings.position_ids"] = torch.arange(network.sizes.bert.positions)[None]
    if kind == "lavt_one":
        state |= {f"text_encoder.{key}": value for key, value in bert.items()}
    schedule = {
        "base_lrs": [5e-5] * 4,
        "last_epoch": 7,
        "_step_count": 8,
        "_last_lr": [1e-5] * 4,
        "lr_lambdas": [None] * 4,
    }
    moments: dict[int, dict[str, Tensor]] = {0: {"exp_avg": torch.zeros(3)}}
    return {
        "model": state,
        **({"bert_model": bert} if kind == "lavt" else {}),
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-5, "params": [0]}]},
        "epoch": 39,
        "args": argparse.Namespace(model=kind, swin_type="base", window12=True, mha=""),
        "lr_scheduler": schedule,
    }


def made_up_lavt(path: Path, kind: str = "lavt", sizes: LavtSizes = SMALL, *, words: bool = True) -> Path:
    """A file of the authors' layout, and its vocabulary beside it."""
    torch.save(checkpoint_of(lavt(sizes), kind), path)
    if words:
        (path.parent / "vocab.txt").write_text("".join(f"{word}\n" for word in words_of(sizes.bert.vocabulary)))
    return path


def words_of(count: int) -> list[str]:
    """A vocabulary of a size."""
    return [*WORDS, *(f"word{number}" for number in range(count - len(WORDS)))]


def full_lavt(folder: Path) -> str:
    """A LAVT of the published sizes."""
    return str(made_up_lavt(folder / "lavt.pth", sizes=LavtSizes()))
