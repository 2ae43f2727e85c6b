"""AMR's maps: Grad-CAM without a backward pass, climbing, and the fusion of scales and branches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.amrs import DEPTH, PLANES, amr_state
from PIL import Image
from torch import Tensor

import baselines.amr as amr
from baselines.amr.gradcam import gradcam
from baselines.amr.maps import paired, steps_of
from baselines.amr.network import AmrConfig, AmrNetwork
from risbench import UsageError

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PICTURE = np.random.default_rng(0).integers(0, 256, (29, 42, 3), dtype=np.uint8)


class Smooth:
    """A smooth pair of features and head: climbing it is no chaos, so that two computations agree."""

    def __init__(self, seed: int):
        draw = torch.Generator().manual_seed(seed)
        self.kernel = torch.randn(6, 3, 5, 5, generator=draw) * 0.2
        self.bias = torch.randn(6, generator=draw)
        self.head = torch.randn(4, 6, generator=draw)

    def __call__(self, images: Tensor) -> Tensor:
        return F.softplus(F.conv2d(images, self.kernel, self.bias, stride=4, padding=2))


def by_backward_passes(branch: Smooth, pixels: Tensor, label: int, steps: int) -> Tensor:
    """The authors' loop in the order of the facts: a backward pass for the map, another one for the climb."""
    total = start = None
    for _ in range(steps):
        pixels = pixels.detach().requires_grad_()
        found = branch(pixels)
        logits = torch.einsum("bkhw,ck->bchw", found, branch.head)
        (gradient,) = torch.autograd.grad(logits[:, label].clamp(min=0).sum(), found, retain_graph=True)
        weights = gradient.sum((2, 3)) / ((gradient > 0).sum() + 1e-12)
        maps = (weights[:, :, None, None] * found).sum(1).clamp(min=0)
        region = maps[0] + maps[1].flip(1)
        total = region.detach() if total is None else total + region.detach()
        start = region.detach() if start is None else start
        strength = logits.clamp(min=0).flatten(2).mean(2)
        mask = (region.detach() / region.detach().max() > 0.5).float()
        aim = 2 * strength[:, label].sum() - strength.sum() - 7 * ((region - start).abs() * mask).sum()
        (climb,) = torch.autograd.grad(aim, pixels)
        low, high = pixels.detach().min(), pixels.detach().max()
        pixels = (pixels.detach() + 0.08 * climb / (climb.abs().max() + 1e-12)).clamp(low, high)
    assert total is not None
    return total


def at(scale: float) -> Tensor:
    """The picture and its mirror image."""
    image = PICTURE
    if scale != 1:
        size = (int(np.round(PICTURE.shape[1] * scale)), int(np.round(PICTURE.shape[0] * scale)))
        image = np.asarray(Image.fromarray(PICTURE).resize(size, Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(((image / 255.0 - MEAN) / DEVIATION).astype(np.float32)).permute(2, 0, 1)
    return torch.stack([pixels, pixels.flip(2)])


@pytest.mark.parametrize("adv_iter", [1, 5, 8, 13, pytest.param(27, marks=pytest.mark.torture)])
def test_the_whole_loop_is_the_authors_on_a_smooth_network(adv_iter: int):
    branches = [Smooth(1), Smooth(2)]
    labels = [2, 0, 3]
    # At scale 0.5, which goes first: half of 13 and of 27, 5 of 6 to 10, all of fewer; above 10 all counts twice.
    half = {1: 1, 2: 2, 5: 5, 8: 5, 13: 6, 27: 13}[adv_iter]
    double = 2 if adv_iter > 10 else 1
    cams, highs = [], []
    for branch in branches:
        maps = [
            torch.stack([
                double * by_backward_passes(branch, at(scale), label, half if scale == 0.5 else adv_iter)
                for label in labels
            ])
            for scale in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
        ]  # fmt: skip
        cam = torch.stack([F.interpolate(one[None], (8, 11), mode="bilinear")[0] for one in maps]).sum(0)
        high = torch.stack([F.interpolate(one[None], (32, 48), mode="bilinear")[0] for one in maps]).sum(0)
        high = high[:, :29, :42]
        cams.append(cam / (cam.flatten(1).max(1).values[:, None, None] + 1e-5))
        highs.append(high / (high.flatten(1).max(1).values[:, None, None] + 1e-5))
    pairs = [(branch, branch.head) for branch in branches]
    cam, high = amr.fused_maps(pairs, PICTURE, labels, adv_iter=adv_iter)
    assert cam.shape == (3, 8, 11)
    assert high.shape == (3, 29, 42)
    torch.testing.assert_close(cam, 0.5 * cams[0] + 0.5 * cams[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(high, 0.5 * highs[0] + 0.5 * highs[1], atol=1e-5, rtol=0)
    assert cam.amax((1, 2)).min() < 0.999  # not divided again


def network() -> AmrNetwork:
    made = AmrNetwork(AmrConfig(stem=16, planes=PLANES, depth=DEPTH))
    made.load_state_dict(amr_state())
    return made.eval()


@pytest.mark.parametrize("branch", [0, 1])
def test_the_closed_form_is_the_backward_pass(branch: int):
    trunk, head = network().double().branches[branch]
    pair = F.interpolate(at(1.0), (64, 90)).double()
    for label in range(0, 20, 3):
        found = trunk(pair)
        found.retain_grad()
        F.relu(torch.einsum("bkhw,k->bhw", found, head[label])).sum().backward()
        assert found.grad is not None
        weights = found.grad.sum((2, 3)) / ((found.grad > 0).sum() + 1e-12)
        maps = F.relu((weights[:, :, None, None] * found).sum(1)).detach()
        expected = maps[0] + maps[1].flip(-1)
        with torch.no_grad():
            result = gradcam(found, head[label : label + 1])[0]
        assert (result - expected).abs().max() <= 1e-6 * expected.max()


def test_one_forward_pass_serves_all_classes_and_no_backward_pass_is_made():
    branch, calls = Smooth(3), itertools.count()

    def counted(images: Tensor) -> Tensor:
        next(calls)
        assert not torch.is_grad_enabled()
        return branch(images)

    together, _ = amr.fused_maps([(counted, branch.head)], PICTURE, [0, 1, 2, 3], scales=(1.0,), adv_iter=1)
    assert next(calls) == 1
    for label in range(4):
        alone, _ = amr.fused_maps([(branch, branch.head)], PICTURE, [label], scales=(1.0,), adv_iter=1)
        torch.testing.assert_close(together[label], alone[0])


def test_climbing_takes_one_forward_pass_a_step():
    branch, calls = Smooth(3), itertools.count()

    def counted(images: Tensor) -> Tensor:
        next(calls)
        return branch(images)

    amr.fused_maps([(counted, branch.head)], PICTURE, [1, 2])
    assert next(calls) == 2 * (13 + 6 * 27)


def test_steps_and_scales():
    assert [steps_of(0.5, times) for times in (1, 5, 6, 10, 11, 27)] == [1, 5, 5, 5, 5, 13]
    assert [steps_of(1.0, times) for times in (1, 6, 27)] == [1, 6, 27]
    # np.round, so that half a pixel goes to the even side; never an empty image.
    assert paired(PICTURE, 0.5).shape == (2, 3, 14, 21)
    assert paired(PICTURE[:1, :1], 0.5).shape == (2, 3, 1, 1)
    torch.testing.assert_close(paired(PICTURE, 1.5), at(1.5))


def test_a_class_without_a_positive_logit_has_an_empty_map():
    branch = Smooth(4)
    head = -branch.head[:2].abs()
    cam, high = amr.fused_maps([(branch, head)], PICTURE, [0, 1], scales=(1.0, 0.5), adv_iter=3)
    assert cam.eq(0).all()
    assert high.eq(0).all()


def test_no_class_gives_no_map_and_senseless_numbers_are_refused():
    branch = Smooth(5)
    cam, high = amr.fused_maps([(branch, branch.head)], PICTURE, [])
    assert cam.shape == (0, 8, 11)
    assert high.shape == (0, 29, 42)
    with pytest.raises(UsageError, match="adv_iter=0: give 1 or more"):
        amr.fused_maps([(branch, branch.head)], PICTURE, [0], adv_iter=0)
    with pytest.raises(UsageError, match="at least one number above 0"):
        amr.fused_maps([(branch, branch.head)], PICTURE, [0], scales=())
