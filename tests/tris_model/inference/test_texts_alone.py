"""Texts without padding have the features of the padded ones, alone and together the same, and are remembered."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.rows_through import Count, texts
from torch import Tensor, nn

from tris_model.clip.text import Block
from tris_model.clip.tokens import END, START
from tris_model.inference.prepared import prepared, text_encoder
from tris_model.inference.ragged import RaggedClip, RaggedText
from tris_model.inference.remembered import RememberedTexts, is_independent, rows_are_independent
from tris_model.network.stage1 import Stage1


@torch.inference_mode()
def test_texts_without_padding_have_the_features_of_the_padded_ones(small: Stage1) -> None:
    tower = small.backbone
    projection = nn.Linear(*tower.text_projection.shape, bias=False)
    projection.weight = nn.Parameter(tower.text_projection.T.contiguous())
    ragged = RaggedText(tower, projection)
    rows = texts(23)
    rows[5] = torch.arange(20) + 300
    rows[5, 0] = START  # as a text that lost its end
    for some in (rows, rows[:1], rows[5:6], rows[:0]):
        torch.testing.assert_close(ragged(some), tower.encode_text(some), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_text_has_the_same_feature_alone_and_in_any_company(small: Stage1) -> None:
    network = prepared(copy.deepcopy(small), "float32", torch.device("cpu"))
    rows = texts(40, seed=1)
    whole = network.encode_text(rows)
    for some in ([3], [3, 4], [39, 3, 17], list(range(3, 30))):
        assert torch.equal(network.encode_text(rows[some]), whole[some])


def plain(ragged: RaggedText, row: Tensor) -> Tensor:
    """One text through all blocks, every token a row: ``(L,)`` -> ``(1, embed)``."""
    tower, length = ragged.tower, int(row.argmax()) + 1
    x = tower.token_embedding(row[:length]) + tower.positional_embedding[:length]
    x = x if length > 1 else x.expand(2, -1)  # oneDNN adds up a long product of a single row in another order
    for block in tower.transformer.resblocks:
        assert isinstance(block, Block)
        x = x + block.attn(block.ln_1(x)[None, :length])[0]
        x = x + block.mlp(block.ln_2(x))
    return ragged.projection(tower.ln_final(x[length - 1 : length]))


@torch.inference_mode()
def test_rows_that_are_not_computed_change_no_bit(small: Stage1) -> None:
    network = prepared(copy.deepcopy(small), "float32", torch.device("cpu"))
    assert isinstance(network.backbone, RaggedClip)
    ragged = network.backbone.text
    equal = isinstance(text_encoder(network, torch.device("cpu")), RememberedTexts)
    cut = texts(2, seed=2)
    cut[cut == END] = 5  # two texts that lost their end
    odd = texts(3, seed=3)
    odd[1, 0] = 7  # a text that begins otherwise
    for rows in (texts(12, seed=4), torch.cat([cut, texts(2, seed=5)]), cut, odd, texts(1, seed=6)):
        whole = ragged(rows)
        for row, feature in zip(rows, whole, strict=True):
            expected = plain(ragged, row)[0]
            torch.testing.assert_close(feature, expected, rtol=1e-4, atol=1e-5)
            assert torch.equal(feature, expected) or not equal


@torch.inference_mode()
def test_the_first_token_of_all_texts_is_one_row_and_the_last_block_has_the_ends_alone(small: Stage1) -> None:
    network = prepared(copy.deepcopy(small), "float32", torch.device("cpu"))
    first, *_, last = (Count(block.mlp) for block in network.backbone.clip.transformer.resblocks)  # pyright: ignore
    rows = texts(9, seed=7)
    tokens = int((rows.argmax(1) + 1).sum())
    network.encode_text(rows)
    assert (first.rows, last.rows) == (tokens - 8, 9)
    network.encode_text(rows[:1])  # alone it needs company
    assert (first.rows, last.rows) == (tokens - 8 + int(rows[0].argmax()) + 1, 9 + 2)


def test_a_text_is_encoded_once_and_the_oldest_is_forgotten_first() -> None:
    encoded: list[int] = []

    def encode(tokens: Tensor) -> Tensor:
        encoded.extend(tokens[:, 0].tolist())
        return tokens.float().repeat(1, 256)

    memory = RememberedTexts(encode, mebibytes=3 * 1024 / 2**20)  # room for three features of 256 numbers
    rows = torch.arange(5)[:, None]
    assert torch.equal(memory(rows[[0, 1, 2]]), rows[[0, 1, 2]].float().repeat(1, 256))
    memory(rows[[0]])
    assert torch.equal(memory(rows[[3, 0]])[:, 0], torch.tensor([3.0, 0.0]))
    assert encoded == [0, 1, 2, 3]
    memory(rows[[1]])  # the one that was not used for the longest time
    assert encoded == [0, 1, 2, 3, 1]
    assert memory.found == 2
    memory.clear()
    assert torch.equal(memory(rows), rows.float().repeat(1, 256))


@pytest.mark.parametrize("alone", [False, True])
def test_features_that_depend_on_their_company_are_found_out(alone: bool) -> None:
    def encode(tokens: Tensor) -> Tensor:
        features = tokens.double().cumsum(1)
        return features if alone else features + len(tokens) * 1e-12

    class Company(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if alone else x + len(x) * 1e-3

    assert is_independent(encode, 20) is alone
    assert rows_are_independent([(Company(), 8)]) is alone
