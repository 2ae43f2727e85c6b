"""Kinds of expressions are determined by their words, their target and the other objects."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import annotation, code_of, image, rectangle, ref, sentence, write_refer

from risbench import DataError, Sample, Split, UsageError, load_split
from risbench.datasets.annotations.sampleids import SampleIds
from risbench.datasets.expressions import share_of, words_of
from risbench.masks import union_of
from risbench.statistics.slices import kinds_of, places_of, slices_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("left man", {"position"}),
        ("the LARGE red cup", {"attribute"}),
        ("dog next to the tree", {"relation"}),
        ("small cat in front of the sofa", {"position", "attribute", "relation"}),
        ("man in front", {"position"}),
        ("person to the left of the bus", {"position", "relation"}),
        ("zebra", set()),
        ("leftover redness", set()),  # whole words alone
        ("", set()),
    ],
)
def test_words_make_kinds(text: str, kinds: set[str]):
    assert kinds_of(text) == kinds


def test_words_are_counted_without_punctuation():
    assert words_of("The man's dog, far-off – on 2nd base!") == ["the", "man's", "dog", "far-off", "on", "2nd", "base"]
    assert words_of("שלום, עולם") == ["שלום", "עולם"]


def test_drawn_scenes_have_their_own_questions():
    split = load_split("shapes_val").first_images(20)
    samples = list(split)
    found = slices_of(split, samples)
    assert {"form", "ambiguous"} <= set(found)
    for name in ("length", "area", "same-class distractors", "category", "form", "ambiguous"):
        assert (np.sum(list(found[name].values()), axis=0) == 1).all(), name
    drawn = {sample.tags["form"] for sample in samples}
    assert set(found["form"]) == drawn


def test_the_area_is_that_of_the_truth():
    sample = next(iter(load_split("shapes_val")))
    assert 0 < share_of(sample) <= sample.box.area / (sample.size[0] * sample.size[1])


def _one_by_one(split: Split, samples: list[Sample]) -> dict[str, list[str | None]]:
    """The part of each sample in the slices whose parts do not overlap, from samples and their drawn masks."""
    categories = Counter(sample.category or "unknown" for sample in samples)
    common = [name for name, _ in categories.most_common(12)]
    rest = f"the other {len(categories) - len(common)}"
    found: dict[str, list[str | None]] = {"length": [], "area": [], "same-class distractors": [], "category": []}
    edges = {"0 to 2 %": 0.02, "2 to 5 %": 0.05, "5 to 10 %": 0.1, "10 to 20 %": 0.2, "20 to 40 %": 0.4}
    for sample in samples:
        words = len(words_of(sample.text))
        lengths = {"0 words": 0, "1 to 2 words": 2, "3 to 4 words": 4, "5 to 7 words": 7, "8 to 11 words": 11}
        found["length"].append(next((name for name, most in lengths.items() if words <= most), "12 words or more"))
        share = float(union_of(sample.parts, sample.size).mean())
        area = next((name for name, below in edges.items() if share < below), "40 % of the image or more")
        found["area"].append(area if sample.parts else "no true mask")
        of_class = [one for one in split.objects(sample.image_id) if one.category == sample.category]
        others = str(len(of_class) - 1) if len(of_class) < 5 else "4 or more"
        found["same-class distractors"].append("class unknown" if sample.category is None else others)
        category = sample.category or "unknown"
        found["category"].append(category if category in common else rest)
    return found


def _refer_split(root: Path) -> Split:
    """Objects of polygons, of codes and of several parts, of many classes and of none, in images of two sizes."""
    dice = np.random.default_rng(5)
    images = [image(n, (40, 60) if n % 2 else (30, 90)) for n in range(12)]
    anns, refs = [], []
    for n in range(160):
        height, width = images[n % 12]["height"], images[n % 12]["width"]
        sides = dice.integers(1, (width, height), (3, 2))
        whole = rectangle((height, width), *sides.min(axis=0), *(sides.max(axis=0) + 1))
        polygons = [(dice.random((4, 2)) * (width, height)).ravel().tolist() for _ in range(1 + n % 3)]
        segmentation = [polygons, polygons[:1], [code_of(whole)], [code_of(whole), code_of(whole.copy())], []][n % 5]
        anns.append(annotation(n, n % 12, [1, 1, 20, 20], segmentation, int(dice.integers(1, 22)) if n % 9 else 99))
    for n in range(120):
        texts = [" ".join(["left"] * int(dice.integers(0, 14))) for _ in range(n % 4)]
        aim = None if n % 30 == 7 else n
        refs.append(ref(n, aim, n % 12, "val", [sentence(10 * n + turn, text) for turn, text in enumerate(texts)]))
    categories = [{"id": n, "name": f"class {n}"} for n in range(1, 22)]
    return load_split(
        "refcoco_val", write_refer(root, {"images": images, "annotations": anns, "categories": categories}, refs)
    )


def test_slices_from_columns_are_those_of_samples_one_by_one(tmp_path: Path):
    split = _refer_split(tmp_path)
    samples = list(split)
    order = np.random.default_rng(0).permutation(len(samples))
    shuffled = [samples[place] for place in order]
    found = slices_of(split, order)
    for name, wanted in _one_by_one(split, shuffled).items():
        parts = found[name]
        assert set(parts) == set(wanted), name
        assert [next(part for part in parts if parts[part][at]) for at in range(len(order))] == wanted, name
        assert (np.sum(list(parts.values()), axis=0) == 1).all(), name
    again = slices_of(split, shuffled)
    assert {name: list(parts) for name, parts in again.items()} == {name: list(parts) for name, parts in found.items()}
    assert all((again[name][part] == flags).all() for name, parts in found.items() for part, flags in parts.items())
    words = {
        kind: found["words"].get(kind, np.zeros(len(order), bool)) for kind in ("position", "attribute", "relation")
    }
    kinds = [{kind for kind, flags in words.items() if flags[at]} for at in range(len(order))]
    assert kinds == [kinds_of(sample.text) for sample in shuffled]


def test_the_area_of_another_truth_is_that_of_its_masks(tmp_path: Path):
    split = _refer_split(tmp_path)
    entry = {"ref_id": 1, "segmentation": code_of(rectangle(split[0].size, 0, 0, *split[0].size[::-1]))}
    (tmp_path / "truth.json").write_text(json.dumps([entry]))
    other = split.with_truth(tmp_path / "truth.json")
    found = slices_of(other, np.arange(len(other)))["area"]["40 % of the image or more"]
    assert found.tolist() == [bool(sample.parts) and share_of(sample) >= 0.4 for sample in other]
    assert found[[sample.ref_id == 1 for sample in other]].all()


def test_an_id_that_the_split_has_not_is_refused(tmp_path: Path):
    split = _refer_split(tmp_path)
    with pytest.raises(UsageError, match="refcoco_val has no sample 'refcoco_val/1/77'"):
        places_of(split, SampleIds.of([split.ids[0], "refcoco_val/1/77"]))


def test_an_object_that_cannot_be_drawn_is_named(tmp_path: Path):
    polygon = [[1, 1, 9e9, 1, 5, 5]]
    content = {"images": [image(1, (40, 60))], "annotations": [annotation(4, 1, [1, 1, 5, 5], polygon)]}
    write_refer(tmp_path, {**content, "categories": []}, [ref(1, 4, 1, "val", [sentence(1, "far")])])
    with pytest.raises(DataError, match="annotation 4: a polygon has a corner far outside the image"):
        slices_of(load_split("refcoco_val", tmp_path), np.arange(1))
