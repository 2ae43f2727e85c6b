"""The dense CRF: against its definition, against the reference program, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from risbench.errors import DataError, UsageError
from tris_model.irn import crf
from tris_model.irn.lattice import Lattice


def blocks(noise: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(0)
    flat = np.kron(random.randint(0, 256, (3, 4, 3)), np.ones((10, 10, 1), int))
    image = (flat + random.randint(-noise, noise + 1, flat.shape)).clip(0, 255).astype(np.uint8)
    label = np.zeros((30, 40), bool)
    label[6:22, 8:27] = True
    return image, label


def exact(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean field by all pairs, in float64, with both labels' beliefs written out."""
    height, width = labels.shape
    y, x = np.mgrid[:height, :width]
    place = np.stack([x, y], 2).reshape(-1, 2) / 1.0
    colour = image.reshape(-1, 3) / 1.0
    kernels = []
    for weight, points in ((3, place / 3), (10, np.concatenate([place / 50, colour / 5], 1))):
        far = ((points[:, None] - points[None]) ** 2).sum(2)
        kernel = np.exp(-far / 2)
        norm = kernel.sum(1) ** -0.5
        kernels.append((weight, norm[:, None] * kernel * norm))
    flat = labels.ravel()
    unary = np.stack([np.where(flat == label, -np.log(0.7), -np.log(0.3)) for label in (0, 1)])
    belief = np.exp(-unary) / np.exp(-unary).sum(0)
    for _ in range(10):
        score = -unary + sum(weight * belief @ kernel for weight, kernel in kernels)
        score = np.exp(score - score.max(0))
        belief = score / score.sum(0)
    return belief[1].reshape(height, width)


def test_beliefs_are_those_of_the_reference_program() -> None:
    # Krähenbühl's C++ as in lucasb-eyer/pydensecrf (compiled apart from Python), run on this image.
    image, label = blocks()
    belief = crf.believe(image, label[None])[0].numpy()
    assert (belief > 0.5).sum() == 267
    assert belief.sum() == pytest.approx(266.79944, abs=1e-2)
    known = {
        (6, 10): 0.13268, (7, 14): 0.9793, (8, 13): 0.87806, (12, 29): 0.05914,
        (17, 18): 0.97815, (17, 29): 0.024, (21, 13): 0.96658, (21, 21): 0.96377,
    }  # fmt: skip
    for (row, column), value in known.items():
        assert belief[row, column] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("noise", [3, 40])
def test_labels_are_nearly_those_of_all_pairs(noise: int) -> None:
    image, label = blocks(noise)
    sure = exact(image, label)
    found = crf.believe(image, label[None])[0].numpy()
    assert ((sure > 0.5) != label).sum() > 20  # there was something to do
    assert ((sure > 0.5) == (found > 0.5)).mean() > 0.985
    assert np.abs(sure - found).mean() < 0.015


def test_a_lattice_filters_like_a_gaussian() -> None:
    points = torch.from_numpy(np.random.RandomState(0).rand(300, 2).astype(np.float32)) * 6
    values = torch.from_numpy(np.random.RandomState(1).rand(300, 2).astype(np.float32))
    kernel = torch.exp(-(torch.cdist(points, points) ** 2) / 2)
    lattice = Lattice(points)
    found = lattice.filter(values) / lattice.filter(torch.ones(300, 1))
    want = kernel @ values / kernel.sum(1, keepdim=True)
    assert (found - want).abs().max() < 0.03
    assert 3 <= lattice.vertices <= 900


def test_weights_of_the_simplex_sum_up_to_one_and_none_is_negative() -> None:
    from tris_model.irn.lattice import _enclose

    for dimension in (1, 2, 5):
        points = torch.randn(500, dimension, generator=torch.Generator().manual_seed(0)) * 20
        keys, weights = _enclose(points)
        assert keys.shape == (500, dimension + 1, dimension)
        assert weights.min() > -1e-4
        torch.testing.assert_close(weights.sum(1), torch.ones(500))


def test_pydensecrf_gives_the_same_labels() -> None:
    pytest.importorskip("pydensecrf")
    for noise in (3, 40):
        image, label = blocks(noise)
        package = crf.clean(image, label, engine="pydensecrf")
        own = crf.clean(image, label, engine="torch")
        assert (package == own).mean() > 0.999


def test_maps_that_are_cleaned_together_do_not_see_each_other() -> None:
    image, label = blocks()
    other = ndimage.binary_dilation(label, iterations=3)
    both = crf.clean(image, np.stack([label, other]), engine="torch")
    for one, together in zip((label, other), both, strict=True):
        # Several maps add up in another order than one; a pixel on the edge between two labels may go either way.
        assert (crf.clean(image, one, engine="torch") == together).mean() > 0.999


def test_the_border_moves_to_the_colours() -> None:
    image = np.full((40, 60, 3), 40, np.uint8)
    truth = np.zeros((40, 60), bool)
    truth[10:30, 15:45] = True
    image[truth] = (200, 60, 30)
    rough = np.zeros_like(truth)
    rough[13:33, 12:42] = True
    np.testing.assert_array_equal(crf.clean(image, rough, engine="torch"), truth)


def test_nothing_and_everything_stay_as_they_are() -> None:
    image, label = blocks()
    assert not crf.clean(image, np.zeros_like(label), engine="torch").any()
    assert crf.clean(image, np.ones_like(label), engine="torch").all()
    assert crf.clean(image, np.zeros((0, 30, 40), bool), engine="torch").shape == (0, 30, 40)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3)])
def test_images_of_few_pixels_are_cleaned(size: tuple[int, int]) -> None:
    label = np.zeros(size, bool)
    label[0, 0] = True
    assert crf.clean(np.zeros((*size, 3), np.uint8), label, engine="torch").shape == size


def test_what_is_no_image_or_no_label_is_refused() -> None:
    image, label = blocks()
    with pytest.raises(DataError, match="uint8"):
        crf.clean(image.astype(float), label)
    with pytest.raises(DataError, match="labels must be bool"):
        crf.clean(image, label.astype(int))
    with pytest.raises(DataError, match="labels must be bool"):
        crf.clean(image, label[1:])
    with pytest.raises(UsageError, match="no CRF engine"):
        crf.clean(image, label, engine="densecrf")


def test_an_engine_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    image, label = blocks()
    monkeypatch.setattr(crf, "installed", lambda: False)
    with pytest.raises(UsageError, match=r"risbench\[crf\]"):
        crf.clean(image, label, engine="pydensecrf")
    assert crf.choose("auto", torch.device("cpu")) == "torch"
    monkeypatch.setattr(crf, "installed", lambda: True)
    assert crf.choose("auto", torch.device("cpu")) == "pydensecrf"
    assert crf.choose("auto", torch.device("cuda")) == "torch"
