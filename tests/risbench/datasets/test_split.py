from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from helpers.annotations import annotation, image, ref, sentence, write_image, write_refer
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets import Object, catalog, load_split
from risbench.datasets.entry import Counts
from risbench.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_refer(tmp_path / "data")


def test_counts_are_images_refs_and_expressions(root: Path):
    assert load_split("refcoco_val", root).counts == Counts(images=2, refs=4, expressions=6)


def test_another_count_than_the_expected_is_a_partial_copy(root: Path, monkeypatch: pytest.MonkeyPatch):
    split = load_split("refcoco_val", root)
    assert (split.partial, split.expected) == (True, Counts(1_500, 3_811, 10_834))
    for expected, partial in [((2, 4, 6), False), ((2, None, 6), False), ((2, 4, 7), True), ((None,) * 3, False)]:
        entry = catalog.find("refcoco_val")
        changed = type(entry)(
            **{name: getattr(entry, name) for name in entry.__slots__} | {"expected": Counts(*expected)}
        )
        monkeypatch.setitem(catalog._BY_NAME, "refcoco_val", changed)
        assert load_split("refcoco_val", root).partial is partial
        monkeypatch.undo()
        monkeypatch.setenv("RISBENCH_CACHE", str(root / "cache"))


def test_an_alias_gives_samples_of_the_canonical_name(tmp_path: Path):
    root = write_refer(tmp_path, folder="refcoco+")
    split = load_split("refcocoplus_val", root)
    assert (split.name, split[0].id) == ("refcoco+_val", "refcoco+_val/101/5")


def test_by_image_keeps_the_order_of_first_appearance(root: Path):
    groups = list(load_split("refcoco_val", root).by_image())
    assert [[sample.id.removeprefix("refcoco_val/") for sample in group] for group in groups] == [
        ["101/5", "101/3", "102/9"],
        ["100/0", "103/10", "103/11"],
    ]
    assert load_split("refcoco_val", root).images == (2, 1)


def test_objects_are_all_annotations_of_an_image(root: Path):
    split = load_split("refcoco_testA", root)
    found = split.objects(3)
    assert [(thing.ann_id, thing.category, len(thing.parts)) for thing in found] == [(15, "cat", 0), (16, "cup", 1)]
    assert all(isinstance(thing, Object) for thing in found)
    assert [thing.ann_id for thing in split.objects(1)] == [11, 12]  # of an image in another split
    with pytest.raises(UsageError, match="no image 99"):
        split.objects(99)


def test_a_sample_is_found_by_its_id(root: Path):
    split = load_split("refcoco_val", root)
    assert split.sample("refcoco_val/102/9") == split[3] == split[-3]
    with pytest.raises(UsageError, match="no sample 'refcoco_val/1/1'"):
        split.sample("refcoco_val/1/1")
    with pytest.raises(IndexError):
        split[6]


def test_the_first_images_are_a_partial_split(root: Path):
    split = load_split("refcoco_val", root)
    one = split.first_images(1)
    assert (one.images, one.counts, one.partial) == ((2,), Counts(1, 2, 3), True)
    assert list(one) == [sample for sample in split if sample.image_id == 2]
    assert list(split.first_images(9)) == list(split)
    assert len(split.first_images(0)) == 0
    with pytest.raises(UsageError):
        split.first_images(-1)


def test_a_shard_out_of_range_is_refused(root: Path):
    for index, count in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(UsageError, match="no shard"):
            load_split("refcoco_val", root).shard(index, count)


@given(owners=st.lists(st.integers(0, 5), max_size=14), count=st.integers(1, 4))
def test_shards_are_disjoint_and_together_the_split(tmp_path_factory: pytest.TempPathFactory, owners, count: int):
    base = tmp_path_factory.mktemp("any")
    instances = {"images": [image(n, (4, 4)) for n in range(6)], "annotations": [], "categories": []}
    instances["annotations"] = [annotation(n, n, [0, 0, 1, 1], []) for n in range(6)]
    refs = [ref(n, owner, owner, "val", [sentence(n, "x")]) for n, owner in enumerate(owners)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISBENCH_CACHE", str(base / "cache"))
        split = load_split("refcoco_val", write_refer(base, instances, refs))
    shards = [split.shard(n, count) for n in range(count)]
    assert sorted(ident for shard in shards for ident in shard.ids) == sorted(split.ids)
    assert [shard.images for shard in shards] == [split.images[n::count] for n in range(count)]
    assert [sample.id for group in split.by_image() for sample in group] == [
        ident
        for owner in dict.fromkeys(owners)
        for ident, other in zip(split.ids, owners, strict=True)
        if other == owner
    ]
    assert all(shard.partial == split.partial for shard in shards)


def test_a_split_travels_between_processes(root: Path):
    split = load_split("refcoco_val", root)
    split[0]
    assert [sample.id for sample in copy.copy(split)] == list(split.ids)
    assert pickle.loads(pickle.dumps(split)).ids == split.ids


def test_drawn_scenes_are_read_like_any_other(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    import sys
    import types

    import risbench.datasets

    message = []

    def write_split(split: str, root: Path, progress) -> Path:
        message.append((split, root))
        made = write_refer(tmp_path / "made", folder="drawn", refs_file="refs(drawn).p") / "refer/drawn"
        write_image(made / "images" / "COCO_train2014_000000000001.jpg", (40, 60))
        progress(1, 1)
        return made

    shapes = types.SimpleNamespace(write_split=write_split)
    monkeypatch.setitem(sys.modules, "risbench.datasets.shapes", shapes)
    monkeypatch.setattr(risbench.datasets, "shapes", shapes, raising=False)
    steps = []
    split = load_split("shapes_val", progress=lambda *step: steps.append(step))
    assert (message, steps) == ([("val", cache)], [(1, 1)])
    assert (split.name, split.partial, len(split)) == ("shapes_val", False, 6)
    assert split.first_images(1).partial
    assert split[2].image_path.is_file()
    assert split[0].tags == {}
