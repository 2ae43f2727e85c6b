"""Batches of images: how they are divided, and what they leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.folders import content_of
from helpers.small import small_split
from helpers.waiting import wait_until
from hypothesis import given
from hypothesis import strategies as st
from made_up.methods import Batches, Heats

from risbench import Sample, Settings, evaluate
from risbench.running import loop
from risbench.running.reading import batches_of


def group(number: int, size: tuple[int, int]) -> tuple[Sample, ...]:
    return (Sample(f"s/{number}/0", number, number, 0, Path("none"), size, "a", None, ()),)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=40),
    st.integers(1, 10),
    st.integers(1, 10),
    st.none() | st.integers(1, 100),
)
def test_batches_hold_all_images_in_order_and_no_more_than_they_may(
    sizes: list[tuple[int, int]], at_once: int, first: int, most: int | None
) -> None:
    groups = [group(number, size) for number, size in enumerate(sizes)]
    batches = list(batches_of(groups, at_once, first=min(first, at_once), most=most))
    assert [one for batch in batches for one in batch] == groups
    room = min(first, at_once)
    for batch, after in zip_longest(batches, batches[1:]):
        pixels = sum(one[0].size[0] * one[0].size[1] for one in batch)
        assert 1 <= len(batch) <= room
        assert len(batch) == 1 or most is None or pixels <= most
        if after is not None:  # no batch ends before it must
            height, width = after[0][0].size
            assert len(batch) == room or (most is not None and pixels + height * width > most)
        room = min(at_once, 2 * room)


class OwnBatch(Batches):
    """Chooses its batch itself."""

    batch = 4


@pytest.mark.parametrize(("device", "sizes"), [("cpu", [2, 4, 4]), ("cuda", [4, 4, 3])])
def test_a_methods_own_batch_begins_small_on_a_cpu_and_changes_nothing(
    tmp_path: Path, device: str, sizes: list[int]
) -> None:
    split = small_split(tmp_path / "data", 11)
    method = OwnBatch()
    evaluate(Heats(), split, out=tmp_path / "single")
    evaluate(method, split, out=tmp_path / "batches", name="Heats", device=device)
    assert method.sizes == sizes
    assert content_of(tmp_path / "batches") == content_of(tmp_path / "single")


def test_what_is_scored_is_written_after_the_next_call_whatever_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, done, at_calls = [0], list[int](), list[int]()
    original = loop._score

    def counting(*work: Any) -> Any:
        scored[0] += 1
        return original(*work)

    class Waiting(Batches):
        def predict_many(self, images: Sequence[np.ndarray], texts: Sequence[list[str]]) -> Any:
            at_calls.append(len(done))
            wait_until(lambda: scored[0] == 8 * len(self.sizes), "all images before were scored")
            return super().predict_many(images, texts)

    monkeypatch.setattr(loop, "_score", counting)
    split = small_split(tmp_path / "data", 24)
    evaluate(
        Waiting(), split, out=tmp_path / "run", settings=Settings(8), progress=lambda state: done.append(state.done)
    )
    assert at_calls[2] >= 7  # the eighth is still being scored, perhaps
    assert done == list(range(1, 25))
