"""Following displacements, and dividing the image by them."""

from __future__ import annotations

import numpy as np
import pytest

from risbench.errors import DataError
from tris_model.irn.centroids import follow, split


def toward(size: tuple[int, int], *middles: tuple[int, int]) -> np.ndarray:
    """From each cell straight to the nearest middle."""
    place = np.indices(size)
    ways = np.stack([np.array(middle)[:, None, None] - place for middle in middles])
    nearest = (ways**2).sum(1).argmin(0)
    return np.take_along_axis(ways, nearest[None, None], 0)[0].astype(np.float32)


def test_displacements_lead_to_the_middle() -> None:
    ends = follow(toward((15, 20), (7, 9)))
    assert (ends[0] == 7).all()
    assert (ends[1] == 9).all()


def test_two_middles_make_two_parts() -> None:
    field = toward((15, 30), (7, 6), (7, 23))
    parts = split(field)
    assert set(np.unique(parts)) == {0, 1}
    assert len(np.unique(parts[:, :15])) == len(np.unique(parts[:, 16:])) == 1
    assert parts[7, 6] != parts[7, 23]


def test_no_displacement_is_one_part_and_stays() -> None:
    field = np.zeros((2, 6, 7), np.float32)
    assert not split(field).any()
    np.testing.assert_array_equal(follow(field), np.indices((6, 7)))


def test_what_leads_nowhere_is_one_part_of_its_own() -> None:
    # Down is the way out: cells gather at the lower border, where the displacement is still long.
    field = np.zeros((2, 8, 4), np.float32)
    field[0] = 5
    np.testing.assert_array_equal(follow(field)[0], np.full((8, 4), 7))
    assert not split(field).any()
    field[:, 0:2] = 0  # but from the first rows one does not go anywhere
    assert split(field)[0, 0] != split(field)[7, 0]


def test_ways_are_interpolated_between_cells() -> None:
    field = np.zeros((2, 1, 4), np.float32)
    field[1, 0] = [0.5, 1, 0, 0]
    # 0 -> 0.5 -> 0.5 + (0.5 + 1) / 2 = 1.25 -> 1.25 + 0.75 = 2
    assert follow(field, 2)[1, 0, 0] == 1
    assert follow(field, 3)[1, 0, 0] == 2
    assert follow(field, 300)[1, 0].tolist() == [2, 2, 2, 3]


def test_a_step_is_that_of_the_authors_loop() -> None:
    random = np.random.RandomState(0)
    field = (random.randn(2, 9, 11) * 2).astype(np.float32)
    y, x = np.indices((9, 11)).astype(np.float32)
    for _ in range(4):  # cell by cell
        new = np.empty((2, 9, 11), np.float32)
        for i in range(9):
            for j in range(11):
                top, left = int(np.floor(y[i, j])), int(np.floor(x[i, j]))
                low, right = int(np.ceil(y[i, j])), int(np.ceil(x[i, j]))
                a, b = y[i, j] - top, x[i, j] - left
                move = (
                    field[:, low, right] * a * b
                    + field[:, top, right] * (1 - a) * b
                    + field[:, low, left] * a * (1 - b)
                    + field[:, top, left] * (1 - a) * (1 - b)
                )
                new[:, i, j] = move
        y, x = np.clip(y + new[0], 0, 8), np.clip(x + new[1], 0, 10)
    np.testing.assert_array_equal(np.round([y, x]), follow(field, 4))


def test_a_field_with_nan_is_refused() -> None:
    field = np.zeros((2, 3, 3), np.float32)
    field[0, 1, 1] = np.nan
    with pytest.raises(DataError, match="diverged"):
        split(field)
    with pytest.raises(DataError, match="2, h, w"):
        split(np.zeros((3, 3, 3), np.float32))
    assert split(np.zeros((2, 1, 1), np.float32)).tolist() == [[0]]
