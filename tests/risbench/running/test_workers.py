"""Processes that score give the rows, masks, heats and warnings that a thread gives, and fail as it fails."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import Ask, ask  # noqa: F401
from helpers.folders import content_of
from helpers.small import small_split
from made_up.methods import Batches, Heats, Masks

from risbench import MaskError, RisbenchError, Sample, Settings, Split, UsageError, evaluate
from risbench.methods.geometry import Geometry
from risbench.records import Prediction
from risbench.running import workers
from risbench.running.workers import Workers, automatic, workers_of


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 7)


@pytest.mark.parametrize("method", [Heats(), Masks(), Batches()], ids=lambda one: type(one).__name__)
def test_processes_write_the_same_bytes_as_a_thread(split: Split, tmp_path: Path, method: Any):
    for count in (0, 2):
        settings = Settings(3, save_heat=True, workers=count)
        evaluate(method, split, out=tmp_path / str(count), settings=settings)
    assert content_of(tmp_path / "2") == content_of(tmp_path / "0")


class Outside:
    """Every point lies outside the image."""

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Prediction]:
        return [Prediction(mask=np.zeros(image.shape[:2], bool), point=(-5.0, 1.0)) for _ in texts]


def test_the_warnings_count_what_all_processes_scored(split: Split, tmp_path: Path):
    found = [
        evaluate(Outside(), split, out=tmp_path / str(count), settings=Settings(workers=count)).cautions()
        for count in (0, 2)
    ]
    assert found[0] == found[1]
    assert any(f"{len(split)} of {len(split)} points lie outside" in text for text in found[0])


class Turned:
    """Good answers for the first images, then masks with swapped axes."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, image: np.ndarray, texts: list[str]) -> list[np.ndarray]:
        self.calls += 1
        size = image.shape[:2] if self.calls < 4 else image.shape[1::-1]
        return [np.zeros((size[0], size[1] + (self.calls > 3)), bool) for _ in texts]


def test_a_wrong_answer_names_its_sample_and_what_was_scored_stays(split: Split, tmp_path: Path):
    with pytest.raises(MaskError, match=r"prediction for .*its mask is"):
        evaluate(Turned(), split, out=tmp_path, settings=Settings(workers=2))
    assert (tmp_path / "rows.jsonl").read_text().count("\n") == sum(
        len(group) for group, _ in zip(split.by_image(), range(3), strict=False)
    )


def test_an_error_in_a_process_is_the_same_error(split: Split, tmp_path: Path):
    with pytest.raises(UsageError, match="--threshold cuts heats"):
        evaluate(Masks(), split, out=tmp_path, threshold=0.5, settings=Settings(workers=2))


@pytest.mark.parametrize("name", workers.PRELOADED)
def test_what_processes_share_can_be_imported(name: str):
    importlib.import_module(name)  # a name that is not there would be left out without a word


def _dies(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_is_killed_is_told_in_one_line():
    with Workers(_dies, 1) as some:
        doomed = some.submit(3)
        with pytest.raises(RisbenchError, match=r"ended from outside.*same command goes on"):
            some.result(doomed)


def test_counts_of_two_parts_add_up_to_the_counts_of_the_whole(split: Split):
    samples = list(split)
    whole, parts = Geometry(), (Geometry(), Geometry())
    for number, sample in enumerate(samples):
        given = _any_prediction(sample, number)
        whole.add(sample, given)
        parts[number % 2].add(sample, given)
    parts[0].merge(parts[1])
    assert vars(parts[0]) == vars(whole)


def _any_prediction(sample: Sample, number: int) -> Prediction:
    height, width = sample.size
    heat = np.zeros((width, height) if number % 3 else (4, 5), np.float32)
    return Prediction(heat=heat, point=(0.5, number), boxes=np.array([[0, 0, 1, width + number]]))


def test_auto_takes_processes_for_much_work_that_the_processors_are_free_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "processors", lambda: 12)
    assert automatic(workers.WORTH, kept=2) == 10
    assert automatic(workers.WORTH, kept=0) == 12
    assert automatic(workers.WORTH - 1, kept=0) == 0
    assert automatic(workers.WORTH, kept=None) == 0
    monkeypatch.setattr(workers, "processors", lambda: 2)
    assert automatic(workers.WORTH, kept=0) == 2
    assert automatic(workers.WORTH, kept=2) == 0


@pytest.mark.parametrize("text", ["-1", "two", "", "1.5", "99999", "²"])
def test_a_number_of_workers_that_is_none_is_refused_before_any_work(ask: Ask, text: str):  # noqa: F811
    with pytest.raises(UsageError, match="--workers"):
        workers_of(text)
    code, _, message = ask("run", "--method", "centre", "--split", "nowhere", "--workers", text)
    assert code == 2
    assert "--workers" in message
