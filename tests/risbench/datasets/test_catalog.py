from __future__ import annotations

import pytest

from risbench.datasets.catalog import find, names
from risbench.datasets.entry import UNKNOWN, Counts
from risbench.errors import UsageError


def test_every_split_of_the_contract_is_known():
    wanted = [f"refcoco{plus}_{part}" for plus in ("", "+") for part in ("train", "val", "testA", "testB")]
    wanted += ["refcocog_train_g", "refcocog_val_g", "refcocog_train_u", "refcocog_val_u", "refcocog_test_u"]
    wanted += ["referit_train", "referit_val", "referit_test", "referit_test_5pct"]
    wanted += [f"referit_{part}_unc" for part in ("val", "testA", "testB", "testC")]
    wanted += ["shapes_train", "shapes_val", "shapes_test"]
    assert sorted(names()) == sorted(wanted)


def test_expected_counts_sum_to_the_published_totals():
    def total(*parts: str) -> int:
        return sum(find(part).expected.expressions or 0 for part in parts)

    assert total(*[f"refcoco_{part}" for part in ("train", "val", "testA", "testB")]) == 142_210
    assert total(*[f"refcoco+_{part}" for part in ("train", "val", "testA", "testB")]) == 141_564
    assert total("refcocog_train_g", "refcocog_val_g") == 95_010


def test_an_unconfirmed_count_is_not_expected():
    assert find("refcocog_val_u").expected == Counts(1_300, 2_573, None)
    assert all(find(f"referit_{part}").expected == UNKNOWN for part in ("train", "val", "test", "test_5pct"))


def test_refcocoplus_is_another_name_of_refcoco_plus():
    assert find("refcocoplus_testA") is find("refcoco+_testA")


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("refcoco_testa", "refcoco_testA"),
        ("refcocog_val", "refcocog_val_u"),
        ("shape_val", "shapes_val"),
        ("refcocoplus_test", "refcoco+_testA"),
    ],
)
def test_an_unknown_name_lists_the_near_ones(wrong: str, near: str):
    with pytest.raises(UsageError, match="near names") as caught:
        find(wrong)
    assert near in str(caught.value)


def test_a_name_near_to_none_lists_all():
    with pytest.raises(UsageError) as caught:
        find("zzz")
    assert all(name in str(caught.value) for name in names())


@pytest.mark.parametrize(
    ("name", "taken", "left"),
    [
        ("refcoco_train", ["train"], ["trainval", "testA"]),
        ("refcoco_testA", ["testA", "testAB"], ["testB", "val"]),
        ("referit_testC_unc", ["testC", "testBC"], ["testA"]),
        ("refcocog_test_u", ["test", "testA"], ["train"]),
    ],
)
def test_a_split_takes_what_the_refer_tool_takes(name: str, taken: list[str], left: list[str]):
    assert all(find(name).takes(word) for word in taken)
    assert not any(find(name).takes(word) for word in left)
