from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import ref, refer_content, sentence, write_refer, write_referit_as_refer
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets import load_split
from risbench.datasets.annotations.columns import Idents, distinct
from risbench.datasets.annotations.sample_places import SamplePlaces
from risbench.errors import UsageError

IDENTS = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)


@given(
    pairs=st.lists(st.tuples(IDENTS, IDENTS), min_size=1, max_size=20, unique=True),
    other=IDENTS | st.sampled_from(["", "x", "01", "+1", " 1", "1 ", "1_0", "-0", "１", "1/2", "1.0", "9" * 30]),
    texts=st.booleans(),
    data=st.data(),
)
def test_every_id_is_found_at_its_place_and_no_other_text_is(pairs, other, texts: bool, data):
    kind = str if texts else int
    ref_id, sent_id = Idents.pack([kind(r) for r, _ in pairs]), Idents.pack([s for _, s in pairs])
    rows = np.array(data.draw(st.permutations(range(len(pairs)))), np.int64)[: data.draw(st.integers(1, len(pairs)))]
    places = SamplePlaces("own", ref_id, sent_id, rows, rows)
    ids = {f"own/{pairs[row][0]}/{pairs[row][1]}": at for at, row in enumerate(rows.tolist())}
    r, s = pairs[rows[0]]
    idents = [
        *ids,
        f"own/{other}/{s}",
        f"own/{r}/{other}",
        f"{r}/{s}",
        f"/{r}/{s}",
        f"ow/{r}/{s}",
        f"own/{r}",
        "own/",
        "",
    ]
    for ident in idents:
        assert places.find(ident) == ids.get(ident)
    assert [places.ident(at) for at in range(len(rows))] == list(ids)


@given(
    sentences=st.lists(IDENTS, min_size=1, max_size=20),
    others=st.lists(IDENTS, max_size=5),
    words=st.sampled_from(["", "x", "01", "+1", " 1", "1_0", "-0", "１", "1.0", "9" * 30]),
    texts=st.booleans(),
)
def test_a_sentence_has_the_places_of_all_its_samples(sentences, others, words: str, texts: bool):
    ref_id, sent_id = Idents.pack([*range(len(sentences))]), Idents.pack([str(s) if texts else s for s in sentences])
    rows = np.arange(len(sentences))
    places = SamplePlaces("own", ref_id, sent_id, rows, rows)
    for name in (*map(str, [*sentences, *others]), words):
        assert list(places.of_sentence(name)) == [at for at, one in enumerate(sentences) if str(one) == name]
    wanted = [*sentences, *others]
    single = [sentences.index(one) if not texts and sentences.count(one) == 1 else -1 for one in wanted]
    assert places.of_single_sentences(np.array(wanted, np.int64)).tolist() == single


def test_a_sentence_of_two_refs_is_two_samples(tmp_path: Path):
    both = [ref(7, 11, 1, "val", [sentence(1, "a")]), ref(8, 11, 1, "val", [sentence(1, "b")])]
    split = load_split("refcoco_val", write_refer(tmp_path, refer_content()[0], both))
    assert [split.sample(f"refcoco_val/{ident}/1").text for ident in (7, 8)] == ["a", "b"]


@pytest.mark.parametrize("name", ["refcoco_val", "refcoco_testA", "referit_test"])
def test_samples_of_a_split_and_of_its_parts_are_found(tmp_path: Path, name: str):
    root = write_refer(tmp_path / "data")
    write_referit_as_refer(root)
    whole = load_split(name, root)
    for split in (whole, whole[1:], whole.shard(0, 2)):
        assert [split.sample(ident).id for ident in split.ids] == list(split.ids)
        for absent in set(whole.ids) - set(split.ids):
            with pytest.raises(UsageError, match="has no sample"):
                split.sample(absent)


@given(st.lists(st.integers(0, 6), max_size=30))
def test_images_come_in_the_order_of_their_first_sample(images: list[int]):
    from types import SimpleNamespace

    from risbench.datasets.split import Split

    split = object.__new__(Split)
    table = SimpleNamespace(image_id=range(9), ref_image=np.array(images, np.int32))
    rows = np.arange(len(images))
    for name, value in {"table": table, "rows": rows, "_refs": rows}.items():
        object.__setattr__(split, name, value)
    found, starts, order = split._groups
    in_order = list(dict.fromkeys(images))
    assert found.tolist() == in_order
    groups = [order[a:b].tolist() for a, b in pairwise(starts.tolist())]
    assert groups == [[at for at, image in enumerate(images) if image == one] for one in in_order]


@given(st.lists(st.integers(-4, 4)))
def test_distinct_numbers_are_counted(numbers: list[int]):
    assert distinct(np.array(numbers, np.int64)) == len(set(numbers))


def test_absent_images_are_not_looked_for_under_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    split = load_split("refcoco_val", write_refer(tmp_path / "data"))
    monkeypatch.setattr(Path, "is_file", None)
    assert {sample.image_path.parent for sample in split} == {tmp_path / "data/train2014"}
