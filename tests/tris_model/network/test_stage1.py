"""Stage 1 by its own truths: pairs as if alone, towers run once, cuts that change nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

import pytest
import torch
from helpers.rows_through import Count, texts
from helpers.weight_recipe import images, token_rows
from torch import Tensor, nn

from tris_model import tokenize
from tris_model.network.prompt import BilateralPrompt
from tris_model.network.stage1 import Stage1, score


def _together_as_alone(network: Stage1, pictures: Tensor, pairs: Iterable[tuple[int, int]]) -> None:
    rows = texts(10)
    together = network.heat(network.respond(pictures, rows))
    assert together.shape == (5, 10, *pictures.shape[2:])
    for i, j in pairs:
        alone = network(pictures[i : i + 1], rows[j : j + 1])[0, 0]
        # Products of other shapes add up in another order: 3.3e-5 apart without AVX2, less with it.
        torch.testing.assert_close(together[i, j], alone, rtol=1e-4, atol=2e-4 * float(alone.max() + 1))


@torch.inference_mode()
def test_fifty_pairs_together_equal_each_pair_alone(small: Stage1) -> None:
    pictures = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    _together_as_alone(small, pictures, product(range(5), range(10)))


@torch.inference_mode()
def test_at_full_size_pairs_of_every_image_and_text_together_equal_each_alone(stage1: Stage1) -> None:
    # 160 pixels rather than 320: the same layers and the same weights on a quarter of the cells.
    pictures = images()[:, :, :160, :160].repeat(3, 1, 1, 1)[:5] * torch.linspace(0.5, 1.5, 5)[:, None, None, None]
    _together_as_alone(stage1, pictures, ((3 * j % 5, j) for j in range(10)))


@torch.inference_mode()
def test_the_trunk_runs_once_an_image_and_the_text_tower_once_a_distinct_text(small: Stage1) -> None:
    trunk, tower = Count(small.backbone.visual), Count(small.backbone.transformer)
    rows = texts(6)[[0, 1, 2, 2, 1, 0, 3, 4, 5, 5]]
    out = small.respond(torch.randn(3, 3, 64, 64), rows)
    assert (trunk.rows, trunk.calls, tower.rows, tower.calls) == (3, 1, 6, 1)
    assert out.shape == (3, 10, 4, 4)
    # One text, but two columns of a product, which a processor's kernels may add up in another order.
    torch.testing.assert_close(out[:, 0], out[:, 5], rtol=1e-4, atol=1e-5 * float(out.abs().max()))


@torch.inference_mode()
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_with_one_text_the_images_prompt_is_the_last_bias(scale: float) -> None:
    torch.manual_seed(0)
    prompt = BilateralPrompt(32)
    bias = prompt.v_output[1].bias
    assert isinstance(bias, Tensor)
    nn.init.normal_(bias)
    for_image, for_texts = prompt(scale * torch.randn(4, 32, 5, 5), scale * torch.randn(1, 32))
    # A map that is constant but for float noise is divided by sqrt(1e-5), which enlarges that noise some 300 times.
    torch.testing.assert_close(
        for_image, prompt.alone[:, None, None].expand(4, -1, 5, 5), rtol=0, atol=1e-3 * scale + 1e-4
    )
    assert for_texts.shape == (4, 1, 32)


@torch.inference_mode()
def test_at_full_size_the_prompt_of_one_text_is_the_last_bias(stage1: Stage1) -> None:
    cells, one = stage1.encode_cells(images()[:1]), stage1.encode_text(token_rows()[:1])
    for_image, _ = stage1.attn_fusion(cells, one)
    torch.testing.assert_close(
        # Noise enlarged some 300 times, as above: 1.3e-4 without AVX2, below 2e-5 with it.
        for_image,
        stage1.attn_fusion.alone[None, :, None, None].expand_as(for_image),
        rtol=0,
        atol=1e-3,
    )


@torch.inference_mode()
def test_cutting_a_batch_to_its_longest_text_changes_nothing(stage1: Stage1) -> None:
    rows = texts(12)
    full = stage1.backbone.encode_words(rows)
    hidden = full[torch.arange(12), rows.argmax(1)] @ stage1.backbone.text_projection
    torch.testing.assert_close(stage1.backbone.encode_text(rows), hidden, rtol=1e-5, atol=3e-5)
    for row, expected in zip(rows, hidden, strict=True):
        torch.testing.assert_close(stage1.backbone.encode_text(row[None])[0], expected, rtol=1e-5, atol=3e-5)


@torch.inference_mode()
def test_what_stands_behind_the_end_of_a_text_does_not_matter(small: Stage1) -> None:
    rows = token_rows()
    filled_up = torch.where(rows == 0, 77, rows)
    torch.testing.assert_close(
        small.backbone.encode_text(filled_up), small.backbone.encode_text(rows), rtol=1e-5, atol=1e-6
    )


@torch.inference_mode()
def test_all_texts_that_are_too_long_give_one_and_the_same_map(small: Stage1) -> None:
    pictures = torch.randn(1, 3, 64, 64)
    long = tokenize(["the man " * 12, "a red bus next to " * 9, "man " * 18])
    out = small.respond(pictures, long)
    torch.testing.assert_close(out[0, 0], out[0, 1], rtol=1e-4, atol=1e-5 * float(out.abs().max()))
    assert not torch.allclose(out[0, 0], out[0, 2])
    repaired = small.respond(pictures, tokenize(["the man " * 12, "a red bus next to " * 9], keep_end=True))
    assert not torch.allclose(repaired[0, 0], repaired[0, 1])


@torch.inference_mode()
def test_a_small_network_answers_at_its_own_sizes(small: Stage1) -> None:
    pictures = torch.randn(2, 3, 64, 64)
    assert small(pictures, texts(2)).shape == (2, 1, 64, 64)
    response = small.respond(pictures, texts(7))
    assert response.shape == (2, 7, 4, 4)  # stride 16
    one = small(pictures[:1], texts(7)[3:4])[0, 0]
    torch.testing.assert_close(small.heat(response)[0, 3], one, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_no_text_is_no_response(small: Stage1) -> None:
    assert small.respond(torch.randn(2, 3, 64, 64), torch.zeros(0, 20, dtype=torch.int64)).shape == (2, 0, 4, 4)


def test_a_text_that_wins_no_cell_is_punished_by_equation_6() -> None:
    response = torch.tensor([[[2.0, 0.0], [1.0, 1.0]]])  # one image, two texts, two cells
    scores, coverage = score(response)
    e = math.e
    first = (e**2 / (e + e**2 + e) + 1 / (e + 1 + e)) / 2  # the background's logit is 1, so its weight is e
    second = (e / (e + e**2 + e) + e / (e + 1 + e)) / 2
    torch.testing.assert_close(coverage, torch.tensor([[first, second]]))
    expected = [
        (m + x) + (1 - share) ** 3 * math.log(0.01 + share) for m, x, share in ((1.0, 2.0, first), (1.0, 1.0, second))
    ]
    torch.testing.assert_close(scores, torch.tensor([expected]))


def test_training_reaches_every_weight_but_the_two_that_clip_keeps_for_itself(small: Stage1) -> None:
    small.train()
    out = small(torch.randn(3, 3, 64, 64), texts(3))
    (out.scores.sum() + out.probability.sum()).backward()
    untouched = {name for name, weight in small.named_parameters() if weight.grad is None}
    assert untouched == {"backbone.logit_scale"}
