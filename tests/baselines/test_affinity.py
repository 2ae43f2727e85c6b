"""The affinity of CLIP-ES: against the dense product of the definition, and its boxes by hand."""

from __future__ import annotations

import numpy as np
import torch

from baselines._clip.affinity import balanced, boxes, carried


def dense(attention: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """As the paper writes it, in float64: the square of the whole table, its columns masked for each map."""
    table = attention.astype(np.float64)
    for _ in range(3):
        table = table / table.sum(0, keepdims=True)
        table = table / table.sum(1, keepdims=True)
    table = (table + table.T) / 2
    table = table @ table
    return np.stack(
        [
            (table * mask.reshape(1, -1) @ one.reshape(-1, 1)).reshape(one.shape)
            for one, mask in zip(maps, boxes(maps), strict=True)
        ]
    )


def test_two_steps_are_the_squared_tables_one() -> None:
    random = np.random.default_rng(0)
    for height, width in ((5, 7), (9, 4)):
        cells = height * width
        attention = random.dirichlet(np.full(cells, 0.3), cells).astype(np.float32)
        maps = random.random((3, height, width)).astype(np.float32) ** 4
        table = balanced(torch.from_numpy(attention.copy()))
        np.testing.assert_array_equal(table, table.T)
        np.testing.assert_allclose(carried(table, torch.from_numpy(maps)), dense(attention, maps), rtol=1e-4, atol=1e-7)


def test_boxes_stand_round_parts_above_four_tenths_of_the_maximum() -> None:
    one = np.array(
        [
            [0, 0, 0, 0, 0, 1],
            [0, 5, 0, 0, 0, 0],
            [0, 0, 9, 0, 0, 0],  # touches the 5 at a corner: one part, one box of four cells
            [0, 0, 0, 0, 0, 4],  # above 3.6, and in the last column
            [3, 0, 0, 0, 0, 0],
        ],
        float,
    )
    expected = np.zeros((5, 6), bool)
    expected[1:3, 1:3] = True
    expected[3, 5] = True
    np.testing.assert_array_equal(boxes(one[None])[0], expected)


def test_a_u_is_boxed_with_its_inside_and_each_map_by_itself() -> None:
    u = np.zeros((6, 6))
    u[1:5, 1] = u[1:5, 4] = u[4, 1:5] = 1
    both = boxes(np.stack([u, np.zeros((6, 6))]))
    assert both[0, 1:5, 1:5].all()
    assert both[0].sum() == 16
    assert not both[1].any()


def test_what_lies_outside_the_boxes_is_not_carried() -> None:
    maps = torch.zeros(1, 2, 3)
    maps[0, 0, 0], maps[0, 1, 2] = 1.0, 0.39
    assert carried(torch.eye(6), maps)[0].tolist() == [[1, 0, 0], [0, 0, 0]]


def test_patches_that_nobody_attends_to_do_not_divide_by_zero() -> None:
    attention = torch.zeros(4, 4)
    attention[:, 0] = 1
    assert torch.isfinite(balanced(attention)).all()
