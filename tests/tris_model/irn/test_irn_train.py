"""Training: its input, that it learns, and that a killed run ends as if it had not been killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.irn_drawn import Taught, disc, tiny_trunk

from risbench.errors import DataError, UsageError
from tris_model.irn.augment import Draw, draw, vary
from tris_model.irn.feed import batches
from tris_model.irn.masks import normalise, refine
from tris_model.irn.network import EdgeDisplacement
from tris_model.irn.recipe import PAPER, Recipe, check
from tris_model.irn.train import CHECKPOINT, NETWORK, Step, mean_displacement, train
from tris_model.irn.walk import Walk

SMALL = Recipe(epochs=2, batch=4, crop=48, radius=4, width=8)


def test_the_papers_recipe() -> None:
    assert (PAPER.epochs, PAPER.rate, PAPER.power, PAPER.crop, PAPER.radius) == (3, 0.1, 0.9, 512, 10)
    assert (PAPER.momentum, PAPER.decay, PAPER.scales) == (1e-4, 1e-4, (0.5, 1.5))
    assert check(PAPER, 42404) == 3 * (42404 // 24)
    assert check(PAPER, 5) == 3  # fewer than a batch make one


def test_recipes_that_cannot_work_are_refused() -> None:
    for recipe, items in (
        (PAPER, 0),
        (replace(PAPER, crop=510), 9),
        (replace(PAPER, crop=64), 9),  # 16 cells hold no pairs of radius 10
        (replace(PAPER, epochs=0), 9),
        (replace(PAPER, scales=(0.0, 1.0)), 9),
    ):
        with pytest.raises(UsageError):
            check(recipe, items)


def gradient(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    return image, (np.arange(width) % 2 * np.ones((height, 1))).astype(np.uint8)


def test_a_crop_of_a_large_image_lies_where_it_was_drawn() -> None:
    image, labels = gradient((20, 30))
    pixels, known = vary(image, labels, Draw(place=(0.5, 0.999)), crop=8)
    # Room 12 down and 22 to the right: 13 and 23 places.
    torch.testing.assert_close(pixels, normalise(image[6:14, 22:30]))
    np.testing.assert_array_equal(known.numpy(), labels[6:14, 22:30][2::4, 2::4])


def test_a_small_image_lies_in_the_crop_and_the_rest_is_unsure() -> None:
    image, labels = gradient((6, 30))
    pixels, known = vary(image, labels, Draw(place=(0.999, 0.0)), crop=16)
    torch.testing.assert_close(pixels[:, 10:], normalise(image[:, :16]))
    assert not pixels[:, :10].any()  # the mean colour
    assert known[:2].unique().tolist() == [255]
    assert 255 not in known[3:]


def test_labels_turn_and_grow_with_their_image() -> None:
    image, labels = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    image[:8, :8], labels[:8, :8] = 255, 1
    pixels, known = vary(image, labels, Draw(mirror=True), crop=16)
    assert known.tolist() == [[0, 0, 1, 1]] * 2 + [[0] * 4] * 2
    assert (pixels[0, :8, 8:] > 2).all()
    pixels, known = vary(image, labels, Draw(scale=2.0), crop=32)
    assert (known[:4, :4] == 1).all()
    assert known.sum() == 16
    assert pixels.shape == (3, 32, 32)
    assert vary(image, labels, Draw(scale=0.01), crop=16)[1].unique().tolist() in ([255], [1, 255], [0, 255])
    with pytest.raises(DataError, match="write them again"):
        vary(image, labels[1:], Draw(), 16)


def test_draws_depend_on_their_seed_alone_and_keep_to_the_range() -> None:
    draws = [draw((1, 0, index), (0.5, 1.5)) for index in range(400)]
    assert draws == [draw((1, 0, index), (0.5, 1.5)) for index in range(400)]
    scales = [one.scale for one in draws]
    assert 0.5 <= min(scales) < 0.52
    assert 1.48 < max(scales) < 1.5
    assert 150 < sum(one.mirror for one in draws) < 250
    assert draw((1, 1, 0), (0.5, 1.5)) != draws[0]


def test_an_epoch_sees_each_item_once_and_drops_what_is_left_over() -> None:
    data = Taught(10)
    place = torch.device("cpu")
    whole = list(batches(data, SMALL, 0, 0, place))
    assert len(whole) == 2 * 2
    late = list(batches(data, SMALL, 3, 0, place))
    assert len(late) == 1
    torch.testing.assert_close(late[0][0], whole[3][0], rtol=0, atol=0)
    assert whole[0][0].shape == (4, 3, 48, 48)
    assert whole[0][1].shape == (4, 12, 12)
    assert whole[0][1].dtype == torch.uint8


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Step], dict[str, torch.Tensor]]:
    """Six steps without a break."""
    message: list[Step] = []
    network = train(Taught(12), tiny_trunk(), tmp_path_factory.mktemp("whole"), SMALL, tell=message.append)
    return message, network.heads()


def same(one: list[Step], other: list[Step]) -> bool:
    return [replace(step, speed=0) for step in one] == [replace(step, speed=0) for step in other]


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, whole: tuple[list[Step], dict[str, torch.Tensor]]
) -> None:
    message: list[Step] = []
    for until in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            train(
                Taught(12), tiny_trunk(), tmp_path, SMALL,
                tell=message.append, stop=lambda until=until: message[-1].number == until,
            )  # fmt: skip
        assert not (tmp_path / NETWORK).exists()
    network = train(Taught(12), tiny_trunk(), tmp_path, SMALL, tell=message.append)
    assert same(message, whole[0])
    for key, value in network.heads().items():
        torch.testing.assert_close(value, whole[1][key], rtol=0, atol=0)


def test_a_killed_run_repeats_the_steps_since_its_checkpoint(
    tmp_path: Path, whole: tuple[list[Step], dict[str, torch.Tensor]]
) -> None:
    message: list[Step] = []

    def die(step: Step) -> None:
        message.append(step)
        if step.number == 5:
            raise MemoryError

    with pytest.raises(MemoryError):
        train(Taught(12), tiny_trunk(), tmp_path, SMALL, every=3, tell=die)
    again: list[Step] = []
    train(Taught(12), tiny_trunk(), tmp_path, SMALL, every=3, tell=again.append)
    assert same(again, whole[0][3:])
    assert same(message, whole[0][:5])


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    one_step = replace(SMALL, epochs=1, batch=12)
    first = train(Taught(12), tiny_trunk(), tmp_path, one_step)
    message: list[Step] = []
    again = train(Taught(12), tiny_trunk(), tmp_path, one_step, tell=message.append)
    assert not message
    assert not again.training
    for key, value in again.heads().items():
        torch.testing.assert_close(value, first.heads()[key])
    with pytest.raises(UsageError, match="another radius"):
        train(Taught(12), tiny_trunk(), tmp_path, replace(one_step, radius=5))
    with pytest.raises(DataError, match="trunk of other weights"):
        train(Taught(12), tiny_trunk(seed=1), tmp_path, one_step)
    (tmp_path / NETWORK).unlink()
    with pytest.raises(UsageError, match="another items"):
        train(Taught(13), tiny_trunk(), tmp_path, one_step)
    with pytest.raises(UsageError, match="another trunk"):
        train(Taught(12), tiny_trunk(seed=1), tmp_path, one_step)
    (tmp_path / CHECKPOINT).write_bytes(b"broken")
    with pytest.raises(DataError, match="delete it"):
        train(Taught(12), tiny_trunk(), tmp_path, one_step)


def test_rates_fall_by_the_polynomial_and_displacements_have_one_of_their_own(
    whole: tuple[list[Step], dict[str, torch.Tensor]],
) -> None:
    assert [step.rate for step in whole[0]] == pytest.approx([0.1 * (1 - index / 6) ** 0.9 for index in range(6)])
    from tris_model.irn.network import EdgeDisplacement
    from tris_model.irn.train import _groups

    network = EdgeDisplacement(tiny_trunk(), width=8)
    (slow, edges), (fast, others) = _groups(network, PAPER)
    assert (slow, fast) == (0.1, 1.0)
    names = {id(value): name for name, value in network.named_parameters()}
    assert {names[id(value)][:4] for value in edges} == {"fc_e"}
    assert {names[id(value)][:4] for value in others} == {"fc_d"}
    assert len(edges) + len(others) == len([name for name in names.values() if not name.startswith("trunk.")])


def test_the_mean_displacement_is_the_mean_over_all_images_as_they_are(tmp_path: Path) -> None:
    data, recipe = Taught(5), replace(SMALL, epochs=1)
    network = train(data, tiny_trunk(), tmp_path, recipe)
    images = torch.stack([normalise(data[index][0]) for index in range(5)])
    with torch.no_grad():
        want = network.train()(images).displacements.mean((0, 2, 3))
    torch.testing.assert_close(network.mean_shift.running_mean, want, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mean_displacement(network, data, recipe), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_displacements_that_are_not_finite_are_not_averaged_and_no_network_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: float
) -> None:
    # Finite weights can give an infinite answer about one image that training passed by.
    kept, calls = EdgeDisplacement.displacements, []

    def spoilt(self: EdgeDisplacement, features: Any) -> torch.Tensor:
        calls.append(0)
        found = kept(self, features)
        if len(calls) == 4:  # two steps of training, then the second batch of the mean
            found = found.clone()
            found[-1, 0, 0, 0] = broken
        return found

    monkeypatch.setattr(EdgeDisplacement, "displacements", spoilt)
    with pytest.raises(DataError, match=r"not finite for some image among the items 4, 5, 6, 7") as caught:
        train(Taught(8), tiny_trunk(), tmp_path, replace(SMALL, epochs=1))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / NETWORK).exists()
    assert not list(tmp_path.glob("*.part"))


def test_an_irn_that_fails_in_its_mean_ends_the_work_and_goes_on_from_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> torch.Tensor:
        raise DataError("the image is broken")

    with monkeypatch.context() as held:
        held.setattr("tris_model.irn.train.mean_displacement", fails)
        with pytest.raises(DataError, match="the image is broken"):
            train(Taught(8), tiny_trunk(), tmp_path, replace(SMALL, epochs=1))
    assert not (tmp_path / NETWORK).exists()
    steps: list[Step] = []
    train(Taught(8), tiny_trunk(), tmp_path, replace(SMALL, epochs=1), tell=steps.append)
    assert steps == []
    assert (tmp_path / NETWORK).exists()


def test_edges_and_displacements_are_learned(tmp_path: Path) -> None:
    data = Taught(16)
    message: list[Step] = []
    recipe = replace(SMALL, epochs=40, batch=8, rate=1.0, scales=(0.9, 1.1), width=16)
    network = train(data, tiny_trunk(), tmp_path, recipe, tell=message.append)
    assert np.mean([step.total for step in message[-4:]]) < 0.85 * np.mean([step.total for step in message[:2]])
    on, off, pull = [], [], []
    for one in data.discs:
        edges, displacements = (part.numpy() for part in network.analyse(normalise(one.pixels)))
        truth = one.truth[2::4, 2::4]
        edge = np.zeros_like(truth)
        edge[:, 1:] |= truth[:, 1:] != truth[:, :-1]
        edge[1:] |= truth[1:] != truth[:-1]
        on.append(edges[edge].mean())
        off.append(edges[~edge].mean())
        rows = np.nonzero(truth)[0]
        # Down from the upper half and up from the lower: against the row.
        pull.append(np.corrcoef(displacements[0][truth], rows)[0, 1])
    assert np.mean(on) > np.mean(off) + 0.05
    assert np.mean(pull) < -0.8
    # Unseen discs, of whose heat only the core is there.
    before, behind = [], []
    for one in (disc(100 + number) for number in range(8)):
        core = one.values**4
        walked = refine(one.pixels, core, network, Walk(steps=64, power=20))
        before.append(overlap(core > 0.25, one.truth))
        behind.append(overlap(walked > 0.25, one.truth))
    assert np.mean(behind) > np.mean(before) + 0.15


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_loss_that_is_no_number_stops_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no longer finite"):
        train(Taught(8), tiny_trunk(), tmp_path, replace(SMALL, rate=1e30))


@pytest.mark.gpu
def test_a_gpu_trains_and_resumes_in_bf16(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    message: list[Step] = []
    recipe = replace(SMALL, precision="bf16")
    with pytest.raises(KeyboardInterrupt):
        train(
            Taught(12),
            tiny_trunk(),
            tmp_path,
            recipe,
            device="cuda",
            tell=message.append,
            stop=lambda: len(message) == 2,
        )
    network = train(Taught(12), tiny_trunk(), tmp_path, recipe, device="cuda", tell=message.append)
    assert [step.number for step in message] == [1, 2, 3, 4, 5, 6]
    assert network.fc_edge6.weight.is_cuda
