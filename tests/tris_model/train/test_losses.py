"""The losses by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from tris_model.tiny_clip.contrast import choice_loss, contrastive_loss
from tris_model.train.losses import classification, negative, positive, segmentation, visible
from tris_model.train.scorers import FrozenScorer


def softplus(x: float) -> float:
    return log(1 + exp(x))


def test_equation_7_takes_the_own_text_as_the_only_true_one() -> None:
    scores = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 3.0]])
    own = torch.tensor([0, 2])
    by_hand = (softplus(-1) + softplus(-1) + softplus(0.5)) / 3 + (softplus(0) + softplus(2) + softplus(-3)) / 3
    assert classification(scores, own).item() == pytest.approx(by_hand / 2)


def test_equation_8_is_minus_the_logarithm_of_the_cosine() -> None:
    observed = torch.tensor([[3.0, 4.0], [5.0, 0.0]])
    result = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    assert positive(observed, result).item() == pytest.approx((-log(0.6) - log(0.9999)) / 2, rel=1e-5)


def test_the_clamp_keeps_an_opposite_text_finite_and_its_absence_does_not() -> None:
    observed, result = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    assert positive(observed, result).item() == pytest.approx(-log(1e-4))
    assert positive(observed, result, clamped=False).isnan()


def test_equation_9_is_the_mean_over_images_and_their_negatives() -> None:
    observed = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    result = torch.tensor([[[3.0, 4.0], [0.0, 1.0]], [[1.0, 0.0], [4.0, 3.0]]])
    assert negative(observed, result).item() == pytest.approx((-log(0.4) - log(0.4)) / 4, rel=1e-5)


def test_what_is_masked_takes_the_mean_colour_at_the_scorers_size() -> None:
    images, masks = torch.full((1, 3, 8, 8), 2.0), torch.zeros(1, 1, 8, 8)
    masks[..., :4] = 1
    shown = visible(images, masks, 4)
    assert shown.shape == (1, 3, 4, 4)
    torch.testing.assert_close(shown[0, 0, 0], torch.tensor([2.0, 2.0, 0.0, 0.0]))


def test_stage_2_adds_four_cross_entropies() -> None:
    logits = tuple(torch.full((2, 1, 4, 4), value) for value in (0.0, 0.0, 0.0, 2.0))
    assert segmentation(logits, torch.ones(2, 1, 4, 4)).item() == pytest.approx(3 * log(2) + softplus(-2))


def test_with_one_caption_a_picture_the_contrast_is_clips_cross_entropy() -> None:
    draw = torch.Generator().manual_seed(0)
    images, texts = (F.normalize(torch.randn(5, 7, generator=draw), dim=1) for _ in range(2))
    logits, own = 9.0 * images @ texts.T, torch.arange(5)
    loss = contrastive_loss(images, texts, torch.eye(5).bool(), torch.tensor(9.0))
    assert loss.item() == pytest.approx(((F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2).item())


def test_captions_that_are_true_of_one_picture_do_not_compete() -> None:
    image, texts = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    loss = contrastive_loss(image, texts, torch.tensor([[True, True, False]]), torch.tensor(1.0))
    assert loss.item() == pytest.approx(log(1 + exp(-1)) / 2)  # captions alone have no rival


def test_nothing_true_is_no_loss() -> None:
    assert contrastive_loss(torch.eye(2), torch.eye(2), torch.zeros(2, 2, dtype=torch.bool), torch.tensor(1.0)) == 0
    assert (
        contrastive_loss(torch.eye(2), torch.zeros(0, 2), torch.zeros(2, 0, dtype=torch.bool), torch.tensor(1.0)) == 0
    )


def test_a_choice_costs_what_the_other_picture_fits_better() -> None:
    texts, own, other = torch.eye(2), torch.eye(2), torch.eye(2).flip(0)
    assert choice_loss(texts, own, other, torch.tensor(3.0)).item() == pytest.approx(log(1 + exp(-3)))


def test_a_weight_of_stage_2_counts_the_masks_pixels_so_many_times() -> None:
    logits, masks = (torch.zeros(1, 1, 1, 2),), torch.tensor([[[[1.0, 0.0]]]])
    assert segmentation(logits, masks, 3.0).item() == pytest.approx((3 * log(2) + log(2)) / 2)
    assert segmentation(logits, masks, 1.0).item() == pytest.approx(log(2))


def test_a_cone_makes_cosines_positive_and_keeps_their_order() -> None:
    class Given:
        side = 4

        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)

        def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
            return torch.stack([torch.full((4,), float(text)) for text in texts])

    images = torch.randn(6, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    plain, wide = FrozenScorer(Given()), FrozenScorer(Given(), 0.7)
    before = F.cosine_similarity(plain.encode_image(images), plain.encode_text(["1"]))
    after = F.cosine_similarity(wide.encode_image(images), wide.encode_text(["1"]))
    torch.testing.assert_close(after, (before + 0.49) / 1.49)
