"""What is left of a run is found without its samples, and samples are made when their images are reached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.small import small_split
from hypothesis import given
from hypothesis import strategies as st
from made_up.methods import Heats

from risbench import Scorer, Settings, Split, evaluate
from risbench.results.columns.keptrows import KeptRows
from risbench.results.columns.rowcolumns import RowColumns
from risbench.results.rows import Row
from risbench.running.remaining import remaining


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 9)


@pytest.fixture(scope="module")
def rows(split: Split) -> list[Row]:
    scorer = Scorer()
    return [scorer.miss(sample) for sample in split]


@given(data=st.data())
def test_an_image_is_left_unless_all_its_samples_are_done(split: Split, rows: list[Row], data: st.DataObject):
    part = data.draw(st.sampled_from([split, split.first_images(4), split.shard(1, 2), split[3:]]))
    states = st.sampled_from(["done", "done", "done", "missing", "absent"])
    state = dict(zip(split.ids, data.draw(st.lists(states, min_size=len(split), max_size=len(split))), strict=True))
    kept = [replace(row, missing=state[row.id] == "missing") for row in rows if state[row.id] != "absent"]
    kept = data.draw(st.permutations(kept))
    folder: Any = SimpleNamespace(rows=KeptRows(RowColumns.of(kept)))
    rest = remaining(part, folder, save_heat=False)
    left = [group for group in part.by_image() if any(state[sample.id] != "done" for sample in group)]
    assert list(rest.by_image()) == left
    again = {sample.id for group in left for sample in group}
    assert list(folder.rows.columns().ids) == [row.id for row in kept if row.id not in again]


@pytest.mark.parametrize("batch", [1, 3])
def test_samples_are_made_when_their_images_are_reached(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
):
    made: list[int] = []
    plain = Split.__getitem__

    def counted(self: Split, at: Any) -> Any:
        if not isinstance(at, slice):
            made.append(at)
        return plain(self, at)

    class Counting(Heats):
        ahead = 0

        def predict(self, image: np.ndarray, texts: list[str]) -> Any:
            answered = sum(map(len, self.requests))
            self.ahead = max(self.ahead, len(made) - answered)
            return super().predict(image, texts)

    most = max(len(group) for group in split.by_image())
    monkeypatch.setattr(Split, "__getitem__", counted)
    method = Counting()
    evaluate(method, split, out=tmp_path, settings=Settings(batch))
    # The images of a batch, and those that are read ahead of it.
    assert method.ahead <= most * (3 * batch + 2)
    assert len(made) == len(split) == len(set(made))
