"""Stage 2 by its own truths."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from helpers.rows_through import Count, texts
from helpers.weight_recipe import filled, images, token_rows
from torch import Tensor

from tris_model.network.stage2 import Stage2
from tris_model.network.word_attention import WordAttention


def as_specified(attention: WordAttention, feature: Tensor, words: Tensor) -> Tensor:
    """Spec §4.3 word by word, nothing exchanged."""
    words = words.transpose(1, 2)
    keys, values = attention.Wk(words), attention.Wv(words)
    queries = attention.ins_q(attention.Wq(feature)).flatten(2)
    weights = torch.softmax(queries.transpose(1, 2) @ keys / feature.shape[1] ** 0.5, dim=-1)
    gathered = (weights @ values.transpose(1, 2)).transpose(1, 2).reshape(feature.shape)
    return F.relu(attention.Wo(F.relu(attention.Wm(feature)) * attention.ins_w(attention.Ww(gathered))))


@torch.inference_mode()
def test_mapping_the_words_before_gathering_them_equals_mapping_the_cells_after() -> None:
    torch.manual_seed(0)
    attention = filled(WordAttention(48, 32))
    assert isinstance(attention, WordAttention)
    feature, words = torch.randn(3, 48, 6, 6), torch.randn(3, 20, 32)
    torch.testing.assert_close(attention(feature, words), as_specified(attention, feature, words), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_pairs_together_equal_each_pair_alone_with_one_trunk_pass_an_image(small2: Stage2) -> None:
    pictures, rows = torch.randn(3, 3, 64, 64), texts(11)
    trunk = Count(small2.backbone.visual)
    together = small2.heat(small2.respond(pictures, rows))
    assert (trunk.rows, trunk.calls) == (3, 1)
    assert together.shape == (3, 11, 64, 64)
    for i in range(3):
        for j in range(11):
            alone = small2(pictures[i : i + 1], rows[j : j + 1])[0, 0]
            torch.testing.assert_close(together[i, j], alone, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_at_full_size_encoding_once_agrees_with_forward(stage2: Stage2) -> None:
    picture, rows = images()[:1, :, :160, :160], token_rows()
    together = stage2.heat(stage2.respond(picture, rows))
    for j in range(2):
        torch.testing.assert_close(together[0, j], stage2(picture, rows[j : j + 1])[0, 0], rtol=1e-4, atol=2e-4)


@torch.inference_mode()
def test_padding_words_take_part_so_the_length_is_not_cut(small2: Stage2) -> None:
    picture, rows = torch.randn(1, 3, 64, 64), token_rows()[:1]
    assert not torch.allclose(small2(picture, rows), small2(picture, rows[:, :7]), atol=1e-3)


@torch.inference_mode()
def test_images_and_texts_go_together_in_forward(small2: Stage2) -> None:
    pictures, rows = torch.randn(3, 3, 64, 64), texts(3)
    batch = small2(pictures, rows)
    for i in range(3):
        alone = small2(pictures[i : i + 1], rows[i : i + 1])[0]
        torch.testing.assert_close(batch[i], alone, rtol=1e-3, atol=1e-3)


def test_training_gives_four_maps_and_reaches_every_weight_that_it_should(small2: Stage2) -> None:
    small2.train()
    out = small2(torch.randn(2, 3, 64, 64), texts(2))
    assert [tuple(part.shape) for part in out] == [(2, 1, 64, 64)] * 4
    sum(part.square().mean() for part in out).backward()
    untouched = {name for name, weight in small2.named_parameters() if weight.grad is None}
    # Words, not a summed-up text, are used here.
    assert untouched == {"backbone.logit_scale", "backbone.text_projection"}
