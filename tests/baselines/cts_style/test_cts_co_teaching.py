"""Two networks that pick for each other: the choice, the loss and the schedule by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from baselines.cts_style import co_teaching_losses, kept_share
from baselines.cts_style.co_teaching import CoTeaching, easy


def logits_of(seed: int, count: int = 4, side: int = 5) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return [torch.randn(count, 1, side, side, requires_grad=True) for _ in range(4)]


def masks_of(count: int = 4, side: int = 5) -> torch.Tensor:
    torch.manual_seed(9)
    return (torch.rand(count, 1, side, side) > 0.6).float()


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def test_each_network_learns_the_samples_that_its_peer_finds_easy():
    first, second, masks = logits_of(0), logits_of(1), masks_of()
    terms = co_teaching_losses(first, second, masks, kept=0.5, weight=3.0)

    def balanced(logits: torch.Tensor, mask: torch.Tensor) -> float:
        pairs = list(zip(logits.flatten().tolist(), mask.flatten().tolist(), strict=True))
        thing = [softplus(-x) for x, wanted in pairs if wanted]
        rest = [softplus(x) for x, wanted in pairs if not wanted]
        return sum(thing) / len(thing) + sum(rest) / len(rest)

    def learnt(own: list[torch.Tensor], peer: list[torch.Tensor]) -> tuple[float, set[int]]:
        chosen = sorted(range(4), key=lambda at: balanced(peer[0][at], masks[at]))[:2]
        total = 0.0
        for level in own:
            each = [
                3 * softplus(-x) if wanted else softplus(x)
                for at in chosen
                for x, wanted in zip(level[at].flatten().tolist(), masks[at].flatten().tolist(), strict=True)
            ]
            total += sum(each) / len(each)
        return total, set(chosen)

    (one, by_second), (two, by_first) = learnt(first, second), learnt(second, first)
    assert terms["first"].item() == pytest.approx(one, rel=1e-5)
    assert terms["second"].item() == pytest.approx(two, rel=1e-5)
    assert terms["loss"].item() == pytest.approx(one + two, rel=1e-5)
    assert terms["agreement"].item() == len(by_first & by_second) / 2
    terms["loss"].backward()
    touched = {at for at in range(4) if first[0].grad is not None and first[0].grad[at].any()}
    assert touched == by_second


def test_with_all_kept_the_loss_is_that_of_two_networks_of_tris_alone():
    first, second, masks = logits_of(2), logits_of(3), masks_of()
    terms = co_teaching_losses(first, second, masks, kept=1.0)
    for name, levels in (("first", first), ("second", second)):
        own = sum(F.binary_cross_entropy_with_logits(level, masks).item() for level in levels)
        assert terms[name].item() == pytest.approx(own, rel=1e-5)
    assert terms["agreement"].item() == 1


def test_a_large_object_is_no_harder_than_a_small_one():
    masks = torch.zeros(2, 1, 10, 10)
    masks[0, :, :9], masks[1, :, :1] = 1, 1
    logits = torch.where(masks > 0, 0.3, -2.0)
    logits[0] += 0.01  # the large object's pixels are a little better, its background a little worse
    each = F.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean((1, 2, 3))
    assert each[0] > 2 * each[1]  # over all pixels at once the large one would be left out
    assert easy(logits, masks, 0.5).tolist() == [0]


def test_the_share_falls_evenly_and_a_sample_is_always_kept():
    schedule = CoTeaching(forget=0.4, begin=0.25, end=0.75)
    shares = [kept_share(step, 8, schedule) for step in range(8)]
    assert shares == pytest.approx([1, 1, 1, 0.9, 0.8, 0.7, 0.6, 0.6])
    assert kept_share(5, 10, CoTeaching(0.2, 0.5, 0.5)) == 1
    assert kept_share(6, 10, CoTeaching(0.2, 0.5, 0.5)) == pytest.approx(0.8)
    masks = masks_of()
    assert [len(easy(logits_of(0)[0], masks, kept)) for kept in (0.0, 0.25, 0.26, 0.75, 1.0)] == [1, 1, 2, 3, 4]


def test_a_mask_without_pixels_or_without_background_gives_finite_losses():
    masks = torch.stack([torch.zeros(1, 5, 5), torch.ones(1, 5, 5)])
    terms = co_teaching_losses(logits_of(0, 2), logits_of(1, 2), masks, kept=0.5)
    assert all(torch.isfinite(value) for value in terms.values())
