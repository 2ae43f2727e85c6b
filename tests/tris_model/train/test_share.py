"""Work in pieces: all of it is done, once, by however many; and it can be stopped between pieces."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tris_model.train.loop.journal import Stopped
from tris_model.train.loop.sharing import share


def write(piece: list[int], folder: Path) -> None:
    for number in piece:
        if number == 9:
            raise ValueError("piece 9")
        (folder / str(number)).write_text("done")


@pytest.mark.parametrize("processes", [1, 2])
def test_all_pieces_are_done_and_a_fault_in_one_is_told(tmp_path: Path, processes: int) -> None:
    with pytest.raises(ValueError, match="piece 9"):
        share("pieces", partial(write, folder=tmp_path), [[1, 2], [3], [4, 5], [9]], processes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3", "4", "5"]


def test_ctrl_c_finishes_the_piece_under_work(tmp_path: Path) -> None:
    def interrupted(piece: list[int]) -> None:
        signal.raise_signal(signal.SIGINT)
        write(piece, tmp_path)

    with pytest.raises(Stopped, match="stopped after 1 of 2 pieces; the same command goes on"):
        share("pieces", interrupted, [[1], [2]], 1)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
