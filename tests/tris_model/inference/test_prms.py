"""Choosing a map by a scorer; and open_clip's ViT-B/32 as one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.weight_recipe import made_up

from risbench.errors import DataError
from tris_model.clip.tokens import tokenize
from tris_model.inference.prms import ClipScorer, choose


class Table:
    """A scorer with given features."""

    def __init__(self, observed: list[list[float]], result: list[list[float]]):
        self.observed, self.text = torch.tensor(observed), torch.tensor(result)

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, 224, 224)
        return self.observed

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        return self.text[: len(texts)]


@pytest.mark.parametrize(
    ("observed", "result", "best"),
    [
        ([[1, 0], [0, 1]], [[1, 0], [0.6, 0.8]], 0),  # sums 1.6 and 0.8
        ([[1, 0], [1, 1]], [[1, 0], [0, 1]], 1),  # sums 1 and 1.41
        ([[2, 0], [5, 0]], [[1, 0], [1, 0]], 0),  # lengths do not count, and the first of equals is kept
    ],
)
def test_the_map_that_fits_all_texts_best_is_chosen(observed: list, result: list, best: int) -> None:
    heats = torch.rand(2, 64, 64)
    assert choose(Table(observed, result), torch.randn(3, 64, 64), heats, ["a", "b"]) == best


def test_the_scorer_sees_the_image_times_the_map() -> None:
    shown: list[torch.Tensor] = []

    class Watch(Table):
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            shown.append(images)
            return super().encode_image(images)

    heats = torch.stack([torch.zeros(64, 64), torch.full((64, 64), 3.0)])
    image = torch.full((3, 64, 64), 0.5)
    choose(Watch([[1, 0], [1, 0]], [[1, 0], [1, 0]]), image, heats, ["a", "b"])
    torch.testing.assert_close(shown[0][0], torch.zeros(3, 224, 224))
    torch.testing.assert_close(shown[0][1], torch.full((3, 224, 224), 1.5))


def _tiled(key: str, shape: torch.Size) -> torch.Tensor:
    """Weights of a key by a few numbers again and again: to draw 150 million takes longer than the test."""
    few = torch.from_numpy(made_up(key, (min(shape.numel(), 100_003),)))
    values = few.repeat(-(-shape.numel() // len(few)))[: shape.numel()].reshape(shape)
    return 0.5 * values / math.sqrt(shape[1:].numel()) if len(shape) > 1 else values


@torch.inference_mode()
def test_open_clips_vit_b_32_is_read_from_a_file(tmp_path: Path) -> None:
    from open_clip.model import CLIP

    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    with torch.device("meta"):
        empty = CLIP(512, vision, {"context_length": 77})  # pyright: ignore
    state = {key: _tiled(key, v.shape).half() for key, v in empty.state_dict().items()}
    torch.save(state, tmp_path / "vit.pt")
    scorer = ClipScorer(tmp_path / "vit.pt", torch.device("cpu"))
    assert scorer.encode_image(torch.randn(2, 3, 224, 224)).shape == (2, 512)
    read = scorer.encode_text(["a dog", "a cat", "man " * 30, "dog and cat " * 20])
    assert read.shape == (4, 512)
    assert not torch.allclose(read[0], read[1])
    assert torch.allclose(read[2], read[3])  # both lost their end-of-text
    assert torch.isfinite(read).all()
    with torch.device("meta"):
        whole = CLIP(512, vision, {"context_length": 77}, quick_gelu=True)  # pyright: ignore
    whole.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
    whole.attn_mask = torch.full((77, 77), float("-inf")).triu(1)  # which no file holds
    texts = ["a dog", "the man on the left", "man " * 30]
    padded = F.pad(tokenize(texts), (0, 77 - 20))
    torch.testing.assert_close(scorer.encode_text(texts), whole.eval().encode_text(padded), rtol=1e-4, atol=1e-5)
    torch.save({"a": torch.zeros(1)}, tmp_path / "no.pt")
    with pytest.raises(DataError, match="is not a CLIP"):
        ClipScorer(tmp_path / "no.pt", torch.device("cpu"))
