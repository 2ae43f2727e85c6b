"""A part of a split is a split: its samples are the whole's, it is partial, and its runs say what was chosen."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.small import small_split
from hypothesis import given
from hypothesis import strategies as st
from made_up.methods import Heats

from risbench import DataError, Run, Split, UsageError, evaluate, merge, score
from risbench.results.scored import split_record
from risbench.statistics.comparable import mismatch


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 6)


BOUND = st.none() | st.integers(-40, 40)


@given(first=BOUND, stop=BOUND, step=st.none() | st.integers(1, 5))
def test_a_slice_has_the_samples_of_a_list(split: Split, first: int | None, stop: int | None, step: int | None):
    part, listed = split[first:stop:step], [*split][first:stop:step]
    assert [*part] == listed
    assert len(part) == len(listed) == part.counts.expressions
    assert part.counts.images == len({one.image_id for one in listed})
    assert part.counts.refs == len({one.ref_id for one in listed})
    assert part.partial == (len(listed) < len(split) or split.partial)
    assert sorted(one.id for group in part.by_image() for one in group) == sorted(one.id for one in listed)
    assert split_record(part) == split_record(split)  # the header names the whole copy


def test_a_slice_of_all_is_the_split_itself(split: Split):
    assert split[:] is split
    assert split[: len(split)] is split


def test_find_ignores_case_and_spaces(split: Split):
    word = split[0].text.split()[0]
    found = split.find(f"  {word.upper()} ")
    assert [one.id for one in found] == [one.id for one in split if word.casefold() in one.text.casefold()]
    assert len(split.find("no such words")) == 0
    with pytest.raises(UsageError, match="the text to find is empty"):
        split.find("  ")


def test_what_is_no_slice_is_refused(split: Split):
    with pytest.raises(UsageError, match="a split keeps its order, so the step"):
        split[::-1]
    with pytest.raises(TypeError):
        split["a":3]  # type: ignore[misc]
    with pytest.raises(IndexError):
        split[len(split)]


def test_choices_add_up_in_words(split: Split):
    part = split[2:20:3][:4].find("the")
    assert part.selection is not None
    assert part.selection.text == '[2:20:3][:4].find("the")'
    assert part.selection.whole is split
    assert pickle.loads(pickle.dumps(part)).ids == part.ids


def test_a_run_of_a_part_says_so_and_is_not_mixed_with_another(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split[:5], out=tmp_path / "run")
    assert (run.about.chosen, run.summary["count"], run.summary["partial"]) == ("[:5]", 5, True)
    assert [row.id for row in run.rows()] == list(split.ids[:5])
    with pytest.raises(UsageError, match=r"its chosen is \"\[:5\]\", this command's is \"\[5:10\]\""):
        evaluate(Heats(), split[5:10], out=tmp_path / "run")
    other = evaluate(Heats(), split[5:10], out=tmp_path / "other")
    assert mismatch(run, other) == "different choices of samples ([:5] and [5:10])"
    assert mismatch(run, Run.load(run.path)) is None


def test_a_run_of_a_part_is_scored_again_as_that_part(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split[3:9], out=tmp_path / "run")
    for again, brought in (("whole", split), ("part", split[3:9])):
        found = score(run.path, brought, out=tmp_path / again)
        assert (found.about.chosen, found.summary["partial"]) == ("[3:9]", True)
        assert found.summary["metrics"] == run.summary["metrics"]


def test_shards_of_a_part_merge_into_the_part_alone(split: Split, tmp_path: Path):
    whole = evaluate(Heats(), split[:9], out=tmp_path / "whole")
    for index in range(2):
        evaluate(Heats(), split[:9], out=tmp_path / "run", shard=(index, 2))
    with pytest.raises(UsageError, match=r"is of chosen samples \(\[:9\]\)"):
        merge(tmp_path / "run", split=split)
    assert merge(tmp_path / "run", split=split[:9]).summary == whole.summary


def test_first_images_and_shards_given_by_hand_are_parts_too(split: Split, tmp_path: Path):
    for part, text in ((split.first_images(2), ".first_images(2)"), (split[:9].shard(1, 3), "[:9].shard(1, 3)")):
        run = evaluate(Heats(), part, out=tmp_path / text)
        assert run.about.chosen == text
        assert run.about.split == split_record(split)
        assert score(run.path, split, out=tmp_path / f"{text} again").summary["metrics"] == run.summary["metrics"]
    with pytest.raises(UsageError, match="holds another run: its chosen is"):
        evaluate(Heats(), split[:9].shard(2, 3), out=tmp_path / "[:9].shard(1, 3)")
    assert split.first_images(100).selection is None


def test_a_part_without_samples_is_refused(split: Split, tmp_path: Path):
    with pytest.raises(DataError, match=r'refcoco_val\.find\("zzz"\) has no expressions'):
        evaluate(Heats(), split.find("zzz"), out=tmp_path / "run")


def test_a_split_shows_itself_in_a_line_and_in_a_table(split: Split):
    line = f"<Split refcoco_val[:3]: 3 expressions of {split[:3].counts.refs} object"
    assert repr(split[:3]).startswith(line)
    assert repr(split[:3]).endswith(", PARTIAL>")
    table = split.table
    texts = list(table.sent_text)
    texts[int(split.rows[0])] = "<script>alert('x')</script> & \x1b[31mred"
    page = replace(split, table=replace(table, sent_text=texts))[:2]._repr_html_()
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp;" in page
    assert "<script" not in page
    assert "\x1b" not in page
    assert "http" not in page
    assert f"PARTIAL: chosen from {len(split)} expressions." in page
