"""The six terms of GbS's loss against sums written out, from the authors' facts."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.gbss import cells_by_hand, gbs, levels_by_hand, lookup_by_hand, map_by_hand
from torch import Tensor

from baselines.gbs import alphas, losses
from baselines.gbs.network import GbsNetwork
from baselines.gbs.objective import GbsWeights


def step(count: int = 3, side: int = 64) -> dict[str, Tensor]:
    torch.manual_seed(4)
    alpha, alpha1, alpha2 = alphas(3, 8, torch.ones(count, side, side))
    masks = torch.ones(count, 1, side, side)
    masks[1, :, :, :20] = 0
    return {
        "first_images": torch.randn(count, 3, side, side), "second_images": torch.randn(count, 3, side, side),
        "first_words": torch.randn(count, 5, 64), "second_words": torch.randn(count, 7, 64),
        "first_mask": torch.tensor([[1, 0, 0, 1, 2], [1, 0, 0, 0, 1], [1, 0, 1, 2, 2]]),
        "second_mask": torch.tensor([[1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 2, 2, 2, 2], [1, 0, 0, 1, 2, 2, 2]]),
        "alpha": alpha, "alpha1": alpha1, "alpha2": alpha2, "masks": masks,
    }  # fmt: skip


def sentences(words: Tensor, mask: Tensor) -> Tensor:
    rows = []
    for row, kinds in zip(words, mask, strict=True):
        own = [word for word, kind in zip(row, kinds, strict=True) if kind == 0]
        rows.append(sum(own) / len(own))
    return torch.stack(rows)  # type: ignore[arg-type]


def contrast(scores: list[list[float]]) -> float:
    """Scores of captions (rows) and images (columns) -> both directions."""
    count, total = len(scores), 0.0
    for at in range(count):
        own = math.exp(10 * scores[at][at])
        total -= math.log(own / sum(math.exp(10 * scores[other][at]) for other in range(count))) / count
        total -= math.log(own / sum(math.exp(10 * scores[at][other]) for other in range(count))) / count
    return total


def terms_by_hand(net: GbsNetwork, given: dict[str, Tensor]) -> dict[str, float]:
    state = net.state_dict()
    alpha, masks = given["alpha"], given["masks"]
    blended = (alpha * given["first_images"] + (1 - alpha) * given["second_images"]) * masks
    levels = levels_by_hand(state, blended, training=True)
    first = sentences(given["first_words"], given["first_mask"])
    second = sentences(given["second_words"], given["second_mask"])
    count = len(first)

    def squares(text: Tensor | None, target: Tensor) -> float:
        raw = map_by_hand(state, levels, text, training=True)
        inside = masks[:, :, ::16, ::16]
        return (
            sum(float((inside[at] * (raw[at] - target[at]) ** 2).sum() / inside[at].sum()) for at in range(count))
            / count
        )

    small = [given[name][:, :, ::16, ::16] for name in ("alpha1", "alpha2")]
    found = {
        "first": squares(first, small[0]),
        "second": squares(second, small[1]),
        "unconditioned": squares(None, torch.full_like(small[0], 0.5)),
        "negative": squares(second[[count - 1, *range(count - 1)]], torch.zeros_like(small[0])),
    }
    clean = torch.cat([given["first_images"], given["second_images"]])
    cells = cells_by_hand(state, levels_by_hand(state, clean, training=True), training=True)
    by_words, by_sentences = [], []
    captions = [*zip(given["first_words"], given["first_mask"], strict=True),
                *zip(given["second_words"], given["second_mask"], strict=True)]  # fmt: skip
    for place, (words, mask) in enumerate(captions):
        unit = [word / word.norm() for word, kind in zip(words, mask, strict=True) if kind == 0]
        whole = torch.cat([first, second])[place]
        row, row_of_sentences = [], []
        for image in range(2 * count):
            own = [level[image] for level in cells]
            scores = [lookup_by_hand(own, word)[0] for word in unit]
            scores += [0.0] * (7 - len(scores))  # special tokens and padding, to the longest caption of both sides
            row.append(math.log(sum(math.exp(5 * score) for score in scores) ** (1 / 5)))
            row_of_sentences.append(lookup_by_hand(own, whole / whole.norm())[0])
        by_words.append(row)
        by_sentences.append(row_of_sentences)
    found["words"] = 0.1 * contrast(by_words)
    found["sentences"] = 0.1 * contrast(by_sentences)
    return found


@pytest.fixture(scope="module")
def net() -> GbsNetwork:
    return gbs().image_model


def test_the_terms_are_the_authors(net: GbsNetwork):
    given = step()
    with torch.no_grad():
        expected = terms_by_hand(net, given)
        found = losses(net.train(), **given)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-4), name
    assert found["loss"].item() == pytest.approx(sum(expected.values()), rel=1e-4)
    assert set(found) == {*expected, "loss"}


def test_gradients_reach_all_but_what_the_authors_leave_without(net: GbsNetwork):
    net.train().zero_grad()
    losses(net, **step())["loss"].backward()
    without = {name.split(".")[0] for name, weight in net.named_parameters() if weight.grad is None}
    assert without == {"pre_cond_up", "no_conditions"}


def test_weights_multiply_their_terms_and_matching_can_be_left_out(net: GbsNetwork):
    given = step()
    with torch.no_grad():
        authors = losses(net.train(), **given)
        other = losses(net, **given, weights=GbsWeights(unconditioned=2.0, negative=3.0, matching=0.0))
    torch.testing.assert_close(other["unconditioned"], 2 * authors["unconditioned"])
    torch.testing.assert_close(other["negative"], 3 * authors["negative"])
    assert set(other) == {"first", "second", "unconditioned", "negative", "loss"}


def test_alpha_alone_is_its_own_target_and_a_mask_is_everywhere_by_default(net: GbsNetwork):
    given = step()
    plain = {**given, "alpha1": given["alpha"], "alpha2": 1 - given["alpha"], "masks": torch.ones_like(given["alpha"])}
    short = {key: value for key, value in given.items() if key not in ("alpha1", "alpha2", "masks")}
    with torch.no_grad():
        one, other = losses(net.train(), **plain), losses(net, **short)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_several_texts_of_an_image_are_the_mean_of_each_alone_where_norms_do_not_mix_them(net: GbsNetwork):
    given, other = step(), step()
    torch.manual_seed(9)
    other |= {name: torch.randn_like(other[name]) for name in ("first_words", "second_words")}
    both = dict(given)
    for name in ("first_words", "second_words", "first_mask", "second_mask"):
        both[name] = torch.stack([given[name], other[name]], 1).flatten(0, 1)
    with torch.no_grad():
        alone = [losses(net.eval(), **one) for one in (given, other)]
        together = losses(net, **both)
    for name in ("first", "second", "negative"):
        torch.testing.assert_close(together[name], (alone[0][name] + alone[1][name]) / 2)
    torch.testing.assert_close(together["words"], alone[0]["words"])  # of the first texts alone
