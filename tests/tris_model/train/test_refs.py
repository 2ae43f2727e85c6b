"""Which sentence and which negatives a ref gets."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers.training import refer_tree

from risbench.datasets.load import load_split
from risbench.errors import UsageError
from tris_model.train.refs import Refs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return refer_tree(tmp_path / "data")


def test_an_epoch_sees_every_ref_once(tree: Path) -> None:
    refs = Refs(load_split("refcoco_train", tree))
    assert len(refs) == 6
    assert sorted(refs.order(3, 0)) == list(range(6))
    assert refs.order(3, 0).tolist() == refs.order(3, 0).tolist() != refs.order(3, 1).tolist()


def test_negatives_are_sentences_of_the_images_other_refs_with_replacement(tree: Path) -> None:
    refs = Refs(load_split("refcoco_train", tree))
    assert refs.refs[0].mates == (1,)
    drawn = refs.negatives(0, refs.refs[0].texts[0], 6, np.random.default_rng(0))
    assert len(drawn) == 6
    assert set(drawn) == set(refs.refs[1].texts)


def test_a_ref_alone_in_its_image_takes_them_from_elsewhere_but_never_its_own_text(tree: Path) -> None:
    refs = Refs(load_split("refcoco_train", tree))
    lonely = Refs(load_split("refcoco_val", tree))
    assert lonely.refs[0].mates == ()
    text = lonely.refs[0].texts[0]
    assert set(lonely.negatives(0, text, 20, np.random.default_rng(0))) == set(lonely.refs[0].texts) - {text}
    assert len(refs.texts) == 12


def _third_ref_in_val(tree: Path) -> None:
    """Three refs of image 1 in file order: train, val, train."""
    path = tree / "refer/refcoco/refs(unc).p"
    refs = pickle.loads(path.read_bytes())
    more = [dict(refs[0], ref_id=98, split="val"), dict(refs[0], ref_id=99)]
    for one in more:
        one["sentences"] = [dict(s, sent_id=s["sent_id"] + 1000 * one["ref_id"]) for s in one["sentences"]]
        one["sent_ids"] = [s["sent_id"] for s in one["sentences"]]
    path.write_bytes(pickle.dumps([refs[0], more[0], more[1], *refs[1:]], protocol=2))
    json.loads((tree / "refer/refcoco/instances.json").read_text())


def test_the_first_ref_of_another_split_stops_the_collection_as_in_the_authors_code(tree: Path) -> None:
    _third_ref_in_val(tree)
    split = load_split("refcoco_train", tree)
    authors, all_of_them = Refs(split), Refs(split, stop_at_strangers=False)
    ids = [[authors.ids[mate] for mate in authors.refs[at].mates] for at in range(3)]
    assert ids == [[], [10], [10]]
    assert [all_of_them.ids[mate] for mate in all_of_them.refs[0].mates] == [99, 11]


def test_some_refs_are_whole_images_drawn_by_the_seed(tree: Path) -> None:
    refs = Refs(load_split("refcoco_train", tree))
    assert refs.some(None, 0).tolist() == refs.some(99, 0).tolist() == list(range(6))
    drawn = {tuple(refs.some(4, seed).tolist()) for seed in range(20)}
    assert len(drawn) == 3  # two of three images with two refs each
    assert all(len({refs.refs[at].image for at in places}) == 2 for places in drawn)
    assert len(refs.some(3, 0)) == 3
    with pytest.raises(UsageError, match="not enough to train on"):
        refs.some(0, 0)


def test_a_choice_of_refs_remembers_their_places(tree: Path) -> None:
    refs = Refs(load_split("refcoco_train", tree))
    some = refs.only([1, 4])
    assert (some.places, len(some), some.ids) == ([1, 4], 2, [refs.ids[1], refs.ids[4]])
    assert set(some.texts) == {*refs.refs[1].texts, *refs.refs[4].texts}
    assert refs.only(None) is refs
    assert some.only([1]).places == [4]
