"""Texts without padding have the features of the padded ones, alone and together the same, and are remembered."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.rows_through import texts
from torch import Tensor, nn

from tris_model.clip.tokens import START
from tris_model.inference.prepared import prepared
from tris_model.inference.ragged import RaggedText
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
