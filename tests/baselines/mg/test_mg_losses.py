"""MG's loss against sums written out from the facts, and what its regulariser holds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.mgs import attended, save, small
from torch.nn.functional import normalize

import baselines.mg
from baselines.mg.loss import losses, regulariser


def parts(texts: int = 1, images: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    pixels, words, sentences = (
        torch.randn(images, 4, 6, 5),
        torch.randn(images * texts, 2, 5),
        torch.randn(images * texts, 5),
    )
    return normalize(pixels, dim=-1), normalize(words, dim=-1), normalize(sentences, dim=-1)


def scored(pixels: np.ndarray, vector: np.ndarray) -> list[float]:
    return [attended(level, vector)[1] for level in pixels]


def matched(table: list[list[float]]) -> tuple[float, float]:
    """``-mean log`` of the true pairs' posteriors over captions and over images; rows are captions."""
    count = len(table)
    powers = [[math.exp(10 * value) for value in row] for row in table]
    captions = [powers[at][at] / sum(powers[other][at] for other in range(count)) for at in range(count)]
    images = [powers[at][at] / sum(powers[at]) for at in range(count)]
    return tuple(-sum(map(math.log, one)) / count for one in (captions, images))  # type: ignore[return-value]


@pytest.mark.parametrize("sentence", ["max", "mean"])
def test_the_terms_are_the_sums_of_the_facts(sentence: str):
    pixels, words, sentences = parts()
    observed = losses(pixels, words, sentences, sentence=sentence)
    of_words, of_sentences = [], []
    for caption in range(3):
        word_row, sentence_row = [], []
        for image in range(3):
            cells = pixels[image].numpy()
            best = [max(scored(cells, words[caption, at].numpy())) for at in range(2)]
            word_row.append(math.log(sum(math.exp(5 * one) for one in best) ** (1 / 5)))
            all_levels = scored(cells, sentences[caption].numpy())
            sentence_row.append(max(all_levels) if sentence == "max" else sum(all_levels) / 4)
        of_words.append(word_row)
        of_sentences.append(sentence_row)
    expected = dict(zip(("word_captions", "word_images"), matched(of_words), strict=True))
    expected |= dict(zip(("sentence_captions", "sentence_images"), matched(of_sentences), strict=True))
    for name, value in expected.items():
        assert observed[name].item() == pytest.approx(value, rel=1e-4), name
    assert observed["loss"].item() == pytest.approx(sum(expected.values()), rel=1e-4)
    assert set(observed) == {*expected, "loss"}


def test_padding_counts_unless_it_is_masked():
    pixels, words, sentences = parts()
    padded = torch.cat([words, torch.zeros(3, 2, 5)], 1)
    mask = torch.tensor([[True, True, False, False]] * 3)
    alone = losses(pixels, words, sentences)["loss"]
    assert losses(pixels, padded, sentences, mask)["loss"].item() == pytest.approx(alone.item(), rel=1e-5)
    assert abs(losses(pixels, padded, sentences)["loss"] - alone) > 1e-3  # each pad adds exp(0) to every sum


def test_several_captions_of_an_image_are_several_comparisons():
    pixels, words, sentences = parts(texts=2)
    both = losses(pixels, words, sentences)
    each = [losses(pixels, words[at::2], sentences[at::2]) for at in range(2)]
    for name in both:
        assert both[name].item() == pytest.approx((each[0][name] + each[1][name]).item() / 2, rel=1e-5)


def test_every_learning_part_gets_a_gradient(tmp_path: Path):
    torch.manual_seed(0)
    network = baselines.mg.load(save(small(), tmp_path / "model"), mix="stored").requires_grad_()
    images = torch.rand(3, 3, 75, 75) * 255
    layers = torch.randn(3, 4, 6), torch.randn(3, 4, 12), torch.randn(3, 4, 12)
    terms = baselines.mg.losses(*network(images, *layers, torch.tensor([4, 3, 1])))
    (terms["loss"] + baselines.mg.regulariser(network)).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_the_regulariser_is_half_a_2000th_of_the_squares_of_kernels_and_mixing_weights(tmp_path: Path):
    arrays = small()
    network = baselines.mg.load(save(arrays, tmp_path / "model"))
    heads = [value for name, value in arrays.items() if "postConv" in name and name.endswith("kernel")]
    mix = [value for name, value in arrays.items() if name.endswith("Aggr_W")]
    trunk = [value for name, value in arrays.items() if name.endswith("weights")]
    assert len(heads) == 12
    expected = 0.0005 / 2 * sum(float((value.astype(np.float64) ** 2).sum()) for value in heads + mix)
    assert regulariser(network).item() == pytest.approx(expected, rel=1e-5)
    constant = 0.0005 / 2 * sum(float((value.astype(np.float64) ** 2).sum()) for value in trunk)
    assert regulariser(network, trunk=True).item() == pytest.approx(expected + constant, rel=1e-5)


def test_squared_heats_weigh_the_cells_that_a_word_attends_to():
    pixels, words, sentences = parts()
    from baselines.mg.attention import attend

    heat, _ = attend(pixels, words[:, None])
    squares, score = attend(pixels, words[:, None], 1)
    torch.testing.assert_close(squares, heat.square())
    sums = torch.einsum("blmn,blnd->blmd", heat**2, pixels)
    torch.testing.assert_close(score, (normalize(sums, dim=-1) * words[:, None]).sum(-1))
    assert losses(pixels, words, sentences, squared=1)["loss"] != losses(pixels, words, sentences)["loss"]
