"""A run's results depend on the method and the split alone, not on how the work is grouped, cut up or read ahead."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from helpers.folders import content_of, costs_of, provenance_of
from helpers.small import small_split
from helpers.waiting import wait_until
from made_up.methods import Batches, Heats, Masks, heat_for

from risbench import Rules, Run, Sample, Scorer, Settings, Split, UsageError, evaluate, load_split, merge
from risbench.datasets.images import read_image
from risbench.metrics.rules.protocols import RULES
from risbench.results import heats
from risbench.running import loop, reading


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 11)


@pytest.fixture(scope="module")
def whole(split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = evaluate(Heats(), split, out=tmp_path_factory.mktemp("whole"), settings=Settings(save_heat=True))
    return content_of(run.path)


@pytest.mark.parametrize("batch", [1, 2, 8, 32])
def test_results_do_not_depend_on_how_images_are_grouped(split: Split, whole, tmp_path: Path, batch: int):
    method = Batches()
    evaluate(method, split, out=tmp_path, name="Heats", settings=Settings(batch, save_heat=True))
    assert content_of(tmp_path) == whole
    full, rest = divmod(11, batch)
    assert method.sizes == ([] if batch == 1 else [batch] * full + [rest] * (rest > 1))


def test_a_method_without_predict_many_is_asked_image_by_image_in_any_batch(split: Split, whole, tmp_path: Path):
    method = Heats()
    evaluate(method, split, out=tmp_path, settings=Settings(8, save_heat=True))
    assert content_of(tmp_path) == whole
    assert method.requests == [[sample.text for sample in group] for group in split.by_image()]


@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_splitting_the_work_changes_nothing(split: Split, tmp_path: Path, count: int, limit: int | None):
    keep = Settings(save_heat=True)
    whole = evaluate(Heats(), split, out=tmp_path / "whole", limit=limit, settings=keep)
    for number in reversed(range(count)):
        evaluate(Heats(), split, out=tmp_path / "cut", limit=limit, shard=(number, count), settings=keep)
    merged = merge(tmp_path / "cut", split=split)
    assert content_of(merged.path) == content_of(whole.path)
    assert {**merged.header, "provenance": None} == {**whole.header, "provenance": None}
    assert len(provenance_of(merged.path)) == count


def test_a_shard_without_an_image_is_a_run_without_rows(split: Split, tmp_path: Path):
    for number in range(4):
        run = evaluate(Heats(), split, out=tmp_path, limit=2, shard=(number, 4))
    assert run.rows() == []
    assert list(run.masks()) == []
    assert run.summary["metrics"]["mIoU"] == {"value": None, "low": None, "high": None, "count": 0}
    assert merge(tmp_path, split=split).summary["count"] == sum(
        len(group) for group, _ in zip(split.by_image(), range(2), strict=False)
    )


def test_rows_and_masks_stand_in_the_order_of_the_split(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split, out=tmp_path)
    assert [row.id for row in run.rows()] == list(split.ids)
    assert [name for name, _ in run.masks()] == list(split.ids)
    # That order is not the order of the work.
    assert list(split.ids) != [sample.id for group in split.by_image() for sample in group]


def test_every_text_of_an_image_comes_in_one_call_with_pixels_of_the_file(split: Split, tmp_path: Path):
    observed: list[tuple[np.ndarray, list[str]]] = []

    class Watching(Heats):
        def predict(self, image: np.ndarray, texts: list[str]) -> Any:
            observed.append((image, texts))
            return super().predict(image, texts)

    evaluate(Watching(), split, out=tmp_path)
    groups = list(split.by_image())
    assert [texts for _, texts in observed] == [[sample.text for sample in group] for group in groups]
    for (image, _), group in zip(observed, groups, strict=True):
        assert image.dtype == np.uint8
        assert image.shape == (*group[0].size, 3)


@pytest.mark.parametrize("rules", RULES)
def test_a_run_scores_as_a_scorer_does(split: Split, tmp_path: Path, rules: str):
    run = evaluate(Masks(), split, rules=rules, out=tmp_path)
    method, scorer = Masks(), Scorer(rules)
    for group in split.by_image():
        answers = method.predict(read_image(group[0].image_path), [sample.text for sample in group])
        for sample, answer in zip(group, answers, strict=True):
            scorer.add(sample, answer)
    assert scorer.summary() == run.summary["metrics"]


def test_saved_heats_are_the_methods_own(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path / "single", settings=Settings(save_heat=True))
    evaluate(Heats(), split, out=tmp_path / "half", settings=Settings(save_heat=True, heat_dtype="float16"))
    for group in split.by_image():
        single, half = (heats.load(tmp_path / name, group[0].image_id) for name in ("single", "half"))
        for sample in group:
            heat = heat_for(read_image(sample.image_path), sample.text)
            np.testing.assert_array_equal(single[sample.id], heat)
            np.testing.assert_array_equal(half[sample.id], heat.astype(np.float16))
        assert set(single) == {sample.id for sample in group}
    assert Run.load(tmp_path / "half").header["save_heat"] == "float16"


def test_heats_are_kept_only_when_asked_for(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    assert not (tmp_path / "heats").exists()


def test_a_method_that_reads_gets_the_samples_of_its_texts(split: Split, tmp_path: Path):
    class Reading(Batches):
        card = MappingProxyType({"grade": "native", "supervision": "oracle", "reads": ("box",)})

        def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> Any:
            assert [sample.text for sample in samples] == texts
            return super().predict(image, texts)

        def predict_many(self, images: Any, texts: Any, *, samples: Sequence[Any]) -> Any:
            assert [[sample.text for sample in group] for group in samples] == texts
            return super().predict_many(images, texts)

    evaluate(Reading(), split, out=tmp_path / "1")
    evaluate(Reading(), split, out=tmp_path / "4", settings=Settings(4))
    assert content_of(tmp_path / "1") == content_of(tmp_path / "4")


def test_a_control_asks_with_its_own_texts(split: Split, tmp_path: Path):
    method = Heats()
    run = evaluate(method, split, out=tmp_path, texts="empty")
    assert {text for texts in method.requests for text in texts} == {""}
    assert (run.header["texts"], run.summary["texts"]) == ("empty", "empty")


def test_shuffled_texts_are_the_same_in_every_part(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path / "whole", texts="shuffled")
    for number in range(2):
        evaluate(Heats(), split, out=tmp_path / "cut", texts="shuffled", shard=(number, 2))
    merge(tmp_path / "cut", split=split)
    assert content_of(tmp_path / "cut") == content_of(tmp_path / "whole")
    limited = evaluate(Heats(), split, out=tmp_path / "limited", texts="shuffled", limit=3)
    whole = dict(Run.load(tmp_path / "whole").masks())
    assert all(line == whole[name] for name, line in limited.masks())


def test_shuffled_drawn_scenes_are_asked_with_words_of_another_object_of_the_same_image(
    shared_cache: Path, tmp_path: Path
):
    drawn, method = load_split("shapes_val"), Heats()
    run = evaluate(method, drawn, out=tmp_path, texts="shuffled", limit=30)
    elsewhere = 0
    for requested, group in zip(method.requests, drawn.first_images(30).by_image(), strict=True):
        for text, sample in zip(requested, group, strict=True):
            assert text not in {other.text for other in group if other.ref_id == sample.ref_id}
            others = {other.text for other in group if other.ref_id != sample.ref_id}
            elsewhere += text not in others
    assert elsewhere < 0.1 * run.summary["count"]  # an image with one object takes words from another image
    assert run.summary["texts"] == "shuffled"


class Counted(np.ndarray):
    """Pixels that can be counted as long as they live."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


@pytest.mark.parametrize("batch", [1, 3])
def test_few_images_are_in_memory_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int):
    alive: weakref.WeakSet[Counted] = weakref.WeakSet()
    most, lock = [0], threading.Lock()
    original = reading.read_image

    def counting(path: Path, size: tuple[int, int]) -> np.ndarray:
        pixels = original(path, size).view(Counted)
        with lock:
            alive.add(pixels)
            most[0] = max(most[0], len(alive))
        return pixels

    monkeypatch.setattr(reading, "read_image", counting)
    split = small_split(tmp_path / "data", 40)

    class Waiting(Batches):
        """Goes on when the images after the first batch were begun."""

        def predict_many(self, images: Sequence[np.ndarray], texts: Sequence[list[str]]) -> Any:
            wait_until(lambda: most[0] > batch, "an image of the next batch was read")
            return super().predict_many(images, texts)

        def predict(self, image: np.ndarray, texts: list[str]) -> Any:
            wait_until(lambda: most[0] > batch, "the next image was read")
            return super().predict(image, texts)

    evaluate(Waiting(), split, out=tmp_path / "run", settings=Settings(batch))
    gc.collect()
    assert len(alive) == 0
    assert batch < most[0] <= 4 * batch + 2  # read ahead, but not far


def test_prediction_runs_ahead_of_scoring_by_a_few_images_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    heats_made: list[weakref.ref[np.ndarray]] = []
    most, predicted, scored = [0], [0], [0]

    class Quick(Heats):
        def predict(self, image: np.ndarray, texts: list[str]) -> Any:
            heat = heat_for(image, texts[0])
            heats_made.append(weakref.ref(heat))
            most[0] = max(most[0], sum(one() is not None for one in heats_made))
            predicted[0] += 1
            return [heat] * len(texts)

    original = loop._score

    def slow(*work: Any) -> Any:
        wait_until(lambda: predicted[0] >= min(scored[0] + 3, 20), "two more images than are scored were predicted")
        scored[0] += 1
        return original(*work)

    monkeypatch.setattr(loop, "_score", slow)
    evaluate(Quick(), small_split(tmp_path / "data", 20), out=tmp_path / "run")
    assert 3 <= most[0] <= 5


def test_progress_tells_images_expressions_and_the_scores_so_far(split: Split, tmp_path: Path):
    message = []
    run = evaluate(Heats(), split, out=tmp_path, progress=message.append)
    assert [(state.done, state.total) for state in message] == [(n + 1, 11) for n in range(11)]
    last = message[-1]
    assert last.expressions == len(split)
    assert last.miou == pytest.approx(run.summary["metrics"]["mIoU"]["value"])
    assert last.oiou == pytest.approx(run.summary["metrics"]["oIoU"]["value"])


def test_cost_counts_what_was_predicted(split: Split, tmp_path: Path):
    method = Heats()
    method.parameter_count = 12
    (cost,) = costs_of(evaluate(method, split, out=tmp_path).path)
    assert (cost["images"], cost["expressions"], cost["parameters"]) == (11, len(split), 12)
    assert 0 <= cost["predict_seconds"] <= cost["seconds"] + 0.001


def test_a_limit_is_partial_and_all_images_are_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    split = replace(small_split(tmp_path / "data", 3), partial=False)
    assert evaluate(Heats(), split, out=tmp_path / "two", limit=2).summary["partial"] is True
    assert evaluate(Heats(), split, out=tmp_path / "three", limit=3).summary["partial"] is False
    assert evaluate(Heats(), split, out=tmp_path / "all").summary["partial"] is False
    assert evaluate(Heats(), split, out=tmp_path / "part", shard=(0, 2)).summary["partial"] is True
    assert json.loads((tmp_path / "two" / "summary.json").read_text())["count"] == len(split.first_images(2))


def test_a_threshold_goes_before_that_of_given_rules(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split, rules=Rules("clean", 0.25), threshold=0.75, out=tmp_path)
    assert run.header["rules"]["threshold"] == 0.75


def test_clean_rules_take_the_threshold_of_the_card(split: Split, tmp_path: Path):
    method = Heats()
    method.card = {**Heats.card, "threshold": 0.125}
    assert evaluate(method, split, rules="clean", out=tmp_path / "clean").header["rules"]["threshold"] == 0.125
    assert evaluate(method, split, rules="tris", out=tmp_path / "tris").header["rules"]["threshold"] is None


@pytest.mark.parametrize(
    ("wrong", "result"),
    [
        ({"limit": 0}, "a limit of 0 images leaves nothing to run"),
        ({"texts": "loud"}, "texts=loud: must be one of given, shuffled, empty"),
        ({"settings": Settings(batch=0)}, "a batch needs at least one image, not 0"),
        ({"shard": (3, 3)}, "shard 3/3: must be 0/3 to 2/3"),
        ({"shard": (0, 0)}, "shard 0/0"),
        ({"rules": "tirs"}, "did you mean 'tris'"),
    ],
)
def test_a_wrong_call_is_refused_before_a_folder_is_made(split, tmp_path: Path, wrong: dict[str, Any], result: str):
    with pytest.raises(UsageError, match=result):
        evaluate(Heats(), split, out=tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()
