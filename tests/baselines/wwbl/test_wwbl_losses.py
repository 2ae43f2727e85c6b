"""WWbL's four terms against sums written out, and CLIP's relevance against automatic differentiation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

import baselines.wwbl
from baselines._clip.prompting import OpenedClip
from baselines._clip.relevance import Relevance
from baselines._clip.vit import VitClip, VitConfig
from baselines.wwbl.loss import WWbLWeights, losses, masked
from baselines.wwbl.teacher import ClipTeacher

TINY = VitConfig(
    image_size=32, patch=8, width=16, depth=2, heads=2, text_length=8, context=8, vocabulary=49408, text_width=8,
    text_depth=1, text_heads=2, embed=6,
)  # fmt: skip
MEAN, DEVIATION = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


@pytest.fixture(scope="module")
def opened() -> OpenedClip:
    torch.manual_seed(0)
    clip = VitClip(TINY).eval().requires_grad_(False)
    return OpenedClip(clip, MEAN, DEVIATION, {"weights": "made up"})


def parts(count: int = 3, side: int = 5) -> tuple[Tensor, ...]:
    torch.manual_seed(2)
    maps = torch.rand(count, 1, side, side, requires_grad=True)
    relevance = torch.rand(count, 1, 4, 4)
    foreground, background = torch.randn(count, 6), torch.randn(count, 6)
    return maps, relevance, foreground, background, normalize(torch.randn(count, 6), dim=1)


def stretched(rows: list[list[float]], side: int) -> list[list[float]]:
    """Bilinear with aligned corners, one number at a time."""

    def at(place: int, old: int) -> tuple[int, int, float]:
        where = place * (old - 1) / (side - 1)
        low = min(int(where), old - 2)
        return low, low + 1, where - low

    found = []
    for row in range(side):
        up, down, share = at(row, len(rows))
        line = []
        for column in range(side):
            left, right, part = at(column, len(rows[0]))
            over = rows[up][left] * (1 - part) + rows[up][right] * part
            under = rows[down][left] * (1 - part) + rows[down][right] * part
            line.append(over * (1 - share) + under * share)
        found.append(line)
    return found


@pytest.mark.parametrize("pairs", ["all", "own"])
def test_the_terms_are_the_sums_of_the_paper_and_the_authors_take_all_pairs(pairs: str):
    maps, relevance, foreground, background, text = parts()
    observed = losses(maps, relevance, foreground, background, text, pairs=pairs, side=7)  # type: ignore[arg-type]
    area, squares, outside, inside, chosen = 0.0, 0.0, 0.0, 0.0, 0
    for at in range(3):
        area += sum(map(sum, stretched(maps[at, 0].tolist(), 7))) / 49 / 3
        wanted = stretched(relevance[at, 0].tolist(), 5)
        squares += sum((maps[at, 0, y, x].item() - wanted[y][x]) ** 2 for y in range(5) for x in range(5)) / 75
        for other in range(3):
            if pairs == "own" and other != at:
                continue
            chosen += 1
            t = text[other].tolist()
            for vector, which in ((foreground[at].tolist(), "in"), (background[at].tolist(), "out")):
                length = math.sqrt(sum(number**2 for number in vector))
                cosine = sum(one * two for one, two in zip(vector, t, strict=True)) / length
                if which == "in":
                    inside += 1 - cosine
                else:
                    outside += abs(cosine)
    expected = {
        "area": 0.25 * area, "relevance": 16 * squares, "background": 0.5 * outside / chosen,
        "foreground": 0.25 * inside / chosen,
    }  # fmt: skip
    assert chosen == (9 if pairs == "all" else 3)
    for name, value in expected.items():
        assert observed[name].item() == pytest.approx(value, rel=1e-5), name
    assert observed["loss"].item() == pytest.approx(sum(expected.values()), rel=1e-5)
    assert set(observed) == {*expected, "loss"}
    (gradient,) = torch.autograd.grad(observed["loss"], maps)
    assert gradient.abs().sum() > 0


def test_weights_multiply_their_terms():
    given = parts()
    ones = losses(*given, weights=WWbLWeights(1.0, 1.0, 1.0, 1.0))
    authors = baselines.wwbl.losses(*given)
    for name, weight in (("area", 0.25), ("relevance", 16), ("background", 0.5), ("foreground", 0.25)):
        torch.testing.assert_close(authors[name], weight * ones[name])


def test_what_is_hidden_becomes_the_mean_grey():
    images, maps = torch.randn(2, 3, 6, 6), torch.zeros(2, 1, 4, 4)
    maps[:, :, :, 2:] = 1
    shown, hidden = masked(images, maps)
    torch.testing.assert_close(shown + hidden, images)
    assert shown[:, :, :, 0].abs().max() == 0
    torch.testing.assert_close(shown[:, :, :, 5], images[:, :, :, 5])


def test_relevance_is_the_class_tokens_row_of_attention_times_its_gradient(opened: OpenedClip):
    """The last block by hand with the whole attention, its gradient by autograd, R = I + mean over heads."""
    clip, visual = opened.clip, opened.clip.visual
    torch.manual_seed(3)
    images, text = torch.randn(3, 3, 32, 32), normalize(torch.randn(3, 6), dim=1)
    tokens = visual.blocks[0](visual.embed(images))
    block = visual.blocks[1]
    q, k, v = block.attn.split(block.ln_1(tokens))
    attention = (q @ k.transpose(2, 3) / math.sqrt(8)).softmax(3).detach().requires_grad_()
    x = tokens + block.attn.out_proj((attention @ v).transpose(1, 2).flatten(2))
    x = x + block.mlp(block.ln_2(x))
    features = normalize(visual.ln_post(x[:, 0]) @ visual.proj, dim=1)
    torch.testing.assert_close(features, normalize(clip.encode_image(images), dim=1))
    score = (100 * features @ text.T).diagonal().sum()
    (gradient,) = torch.autograd.grad(score, attention)
    r = torch.eye(17) + (gradient * attention).clamp(min=0).mean(1)
    rows = r[:, 0, 1:].reshape(3, 1, 4, 4).detach()
    large = interpolate(rows, size=(32, 32), mode="bilinear", align_corners=False)
    low, high = large.amin((1, 2, 3), keepdim=True), large.amax((1, 2, 3), keepdim=True)
    teacher = ClipTeacher(opened)
    observed = teacher.relevance(images, text)
    torch.testing.assert_close(observed, (large - low) / (high - low), atol=1e-5, rtol=0)
    alone = Relevance(visual)(images[:1], text)  # one image for three texts
    torch.testing.assert_close(alone[0], Relevance(visual)(images, text)[0])
    assert alone.shape == (3, 4, 4)


def test_clip_gets_the_networks_pixels_or_its_own(opened: OpenedClip):
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    assert ClipTeacher(opened).input(images) is images
    own = ClipTeacher(opened, "clip").input(images)
    for channel in range(3):
        expected = (images[:, channel] / 2 + 0.5 - MEAN[channel]) / DEVIATION[channel]
        torch.testing.assert_close(own[:, channel], expected)
    small = ClipTeacher(opened).input(torch.arange(4.0).reshape(1, 1, 2, 2).expand(1, 3, 2, 2))
    assert small[0, 0, 0, 0] == 0
    assert small[0, 0, -1, -1] == 3  # corners are kept
    assert ClipTeacher(opened).text(["a dog", "a cat", "a dog"]).norm(dim=1).sub(1).abs().max() < 1e-6
