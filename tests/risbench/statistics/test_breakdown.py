"""The parts of a breakdown have the figures that their expressions alone have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import refer_content, write_refer

from risbench import UsageError, evaluate, load_split
from risbench.metrics.metric_names import parse_all
from risbench.scorer import summary_of
from risbench.statistics.breakdown import BY, break_down, parts_of_split, share
from risbench.statistics.slices import kinds_of


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory):
    return evaluate("oracle_class", "shapes_val", limit=12, out=tmp_path_factory.mktemp("run") / "one").rows()


@pytest.mark.parametrize("by", sorted(BY))
def test_each_part_has_the_figures_of_its_expressions(rows, by: str):
    split, metrics = load_split("shapes_val"), parse_all("mIoU,oIoU,P@0.5")
    samples = [split.sample(row.id) for row in rows]
    flags = parts_of_split(split, samples, by)
    whole, *parts = break_down([rows], flags, metrics)
    assert (whole.name, whole.expressions) == ("all", len(rows))
    assert whole.figures[0] == summary_of(rows, metrics)
    if by != "words":
        assert sum(part.expressions for part in parts) == len(rows)
    for part in parts:
        kept = [row for row, flag in zip(rows, flags[part.name], strict=True) if flag]
        assert part.expressions == len(kept)
        assert part.images == len({row.image_id for row in kept})
        assert part.figures[0] == summary_of(kept, metrics)


def test_position_is_whether_a_word_of_position_is_used(rows):
    split = load_split("shapes_val")
    samples = [split.sample(row.id) for row in rows]
    found = parts_of_split(split, samples, "position")
    expected = ["position" in kinds_of(sample.text) for sample in samples]
    assert found["a word of position"].tolist() == expected
    assert found["no word of position"].tolist() == [not one for one in expected]


def test_what_photographs_do_not_have_is_refused(tmp_path: Path):
    split = load_split("refcoco_val", write_refer(tmp_path / "data", *refer_content()))
    for by in ("form", "ambiguous"):
        with pytest.raises(UsageError, match=f"--by {by}: .* only drawn scenes"):
            parts_of_split(split, list(split), by)


def test_a_share_is_counted_by_hand_and_its_interval_holds_it():
    flags = np.array([True, True, False, False, True])
    found = share(flags, [1, 1, 2, 2, 3])
    assert (found["value"], found["count"]) == (0.6, 3)
    assert found["low"] < 0.6 < found["high"]
    assert share(np.array([True]), [1]) == {"value": 1.0, "low": None, "high": None, "count": 1}
