"""AMR's network: what the authors' program computes, from their names, by an own computation beside it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.amrs import amr_state, class_maps, density, features, msm, tripled

import baselines.amr as amr
from baselines.amr.modulation import gaussian_density
from baselines.amr.network import AmrConfig, AmrNetwork, class_names
from risbench import UsageError


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("amr") / "res50_amr.pth.pth"
    torch.save(tripled(amr_state()), path)
    return path


@pytest.fixture
def network(file: Path) -> AmrNetwork:
    return amr.load(file)


def test_both_branches_compute_what_the_facts_say(network: AmrNetwork):
    images = torch.randn(3, 3, 70, 97, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        results, expected = network(images), class_maps(amr_state(), images)
    for result, own in zip(results, expected, strict=True):
        assert result.shape == (3, 20, 5, 7)  # ceil(H / 16) x ceil(W / 16)
        assert (result - own).abs().max() < 1e-5 * (own.max() - own.min())


def test_branches_are_features_and_heads_whose_product_is_the_maps(network: AmrNetwork):
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for (trunk, head), maps in zip(network.branches, network(images), strict=True):
            assert head.shape == (20, 128)
            torch.testing.assert_close(torch.einsum("bkhw,ck->bchw", trunk(images), head), maps)


def test_the_density_is_the_normal_one_by_mean_and_unbiased_deviation_of_everything():
    values = torch.tensor([[1.0, 2.0], [3.0, 6.0]])  # mean 3, sum of squares 14, unbiased variance 14 / 3
    expected = [
        math.exp(-((value - 3) ** 2) * 3 / 28) / math.sqrt(2 * math.pi * 14 / 3) for value in (1.0, 2.0, 3.0, 6.0)
    ]
    assert gaussian_density(values).flatten().tolist() == pytest.approx(expected, rel=1e-6)
    assert gaussian_density(0.1 * values).max() > 1  # a gate may exceed 1: it is not divided by its maximum
    assert gaussian_density(torch.ones(2, 2)).isnan().all()  # and has no eps


def test_what_an_image_gives_depends_on_its_partner_in_the_modulated_branch_alone(network: AmrNetwork):
    one, two, three = torch.randn(3, 1, 3, 64, 64)
    with torch.no_grad():
        first, second = network(torch.cat([one, two])), network(torch.cat([one, three]))
    torch.testing.assert_close(first[0][0], second[0][0])
    assert (first[1][0] - second[1][0]).abs().max() > 1e-3


def test_inference_neither_reads_nor_changes_the_stored_statistics_unless_they_are_chosen(network: AmrNetwork):
    images, state = torch.randn(2, 3, 64, 80), amr_state()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        batch, again = network(images)[1], network(images)[1]
        repaired = network.use("running")(images)[1]
    assert batch.equal(again)
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())
    assert (batch - repaired).abs().max() > 1e-2
    expected = F.conv2d(features(state, "resnet50_2", images, stored=True), state["classifier2.weight"])
    assert (repaired - expected).abs().max() < 1e-5 * (expected.max() - expected.min())


def test_training_keeps_the_spatial_statistics_and_no_others_up_to_date(network: AmrNetwork):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()(torch.randn(2, 3, 64, 64))
    changed = {key for key, value in network.state_dict().items() if not value.equal(before[key])}
    assert changed
    assert all(".SpatialAMM.spatial.bn." in key for key in changed)


@pytest.mark.parametrize("quirks", ["authors", "repaired"])
@pytest.mark.parametrize("validating", [False, True])
def test_the_loss_is_that_of_the_paper_with_the_authors_pair_of_images(
    network: AmrNetwork, quirks: str, validating: bool
):
    images = torch.randn(3, 3, 80, 64, generator=torch.Generator().manual_seed(2))
    labels = (torch.rand(3, 20, generator=torch.Generator().manual_seed(3)) < 0.2).float()
    terms = amr.losses(network, images, labels, quirks=quirks, validating=validating)  # pyright: ignore
    maps1, maps2 = class_maps(amr_state(), images)
    start = 1 if validating else 0
    if quirks == "authors":
        one, two = (maps[0].clamp(min=0) + maps[1].clamp(min=0).flip(2) for maps in (maps1, maps2))
        agreement = (one - two)[start:].abs().mean()
    else:
        agreement = (maps1.clamp(min=0) - maps2.clamp(min=0))[:, start:].abs().mean()
    first, second = (msm(maps.flatten(2).mean(2), labels) for maps in (maps1, maps2))
    expected = {
        "classification1": first, "classification2": second, "agreement": agreement,
        "loss": 0.5 * first + 0.5 * second + 0.05 * agreement,
    }  # fmt: skip
    assert {key: value.item() for key, value in terms.items()} == pytest.approx(
        {key: value.item() for key, value in expected.items()}, rel=1e-4
    )


def test_gradients_stop_where_the_authors_stop_them_and_are_theirs_elsewhere(network: AmrNetwork):
    images, labels = torch.randn(2, 3, 64, 64), torch.zeros(2, 20)
    labels[0, 3] = labels[1, 7] = 1
    amr.losses(network, images, labels)["loss"].backward()
    names = {name for name, weight in network.named_parameters() if weight.grad is not None}
    assert names == {
        name
        for name, _ in network.named_parameters()
        if name.startswith(("resnet50_2.layer2", "resnet50_2.layer3", "resnet50_2.layer4", "classifier"))
    }
    state = amr_state()
    own = {name: state[name].requires_grad_() for name in sorted(names)}
    maps1 = F.conv2d(features(state, "resnet50", images).detach(), state["classifier.weight"])
    maps2 = F.conv2d(features(state, "resnet50_2", images, cut=True), state["classifier2.weight"])
    one, two = (maps[0].clamp(min=0) + maps[1].clamp(min=0).flip(2) for maps in (maps1, maps2))
    loss = 0.5 * msm(maps2.flatten(2).mean(2), labels) + 0.05 * (one - two).abs().mean()
    expected = torch.autograd.grad(loss, list(own.values()))
    gradients = dict(network.named_parameters())
    for name, gradient in zip(own, expected, strict=True):
        result = gradients[name].grad
        assert result is not None
        torch.testing.assert_close(result, gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()))


def test_at_the_published_size_219_of_432_parameters_get_gradients():
    with torch.device("meta"):
        network = AmrNetwork(AmrConfig())
    assert len(list(network.parameters())) == 432
    learning = ("resnet50_2.layer2", "resnet50_2.layer3", "resnet50_2.layer4", "classifier")
    assert sum(name.startswith(learning) for name, _ in network.named_parameters()) == 219
    assert sum(weight.numel() for weight in network.parameters()) == 49_630_576
    assert len(network.state_dict()) == 798


def test_a_batch_of_one_image_has_no_pair_to_compare(network: AmrNetwork):
    with pytest.raises(UsageError, match="give a batch of at least 2"):
        amr.losses(network, torch.randn(1, 3, 64, 64), torch.zeros(1, 20))


def test_the_classes_of_voc_stand_in_vocs_order():
    assert class_names("voc")[:11] == (
        "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table",
    )  # fmt: skip
    assert class_names("voc")[11:] == (
        "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
    )  # fmt: skip


def test_the_helpers_density_is_no_copy_of_ours():
    values = torch.randn(2, 5, 3)
    torch.testing.assert_close(density(values), gaussian_density(values))
