"""What a table promises: who is best, what may stand in one column, what collapses, what is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.runs import ious_of, write_run
from helpers.tables import table_of

from reports.supervision import Supervision, of_card, supervision_of
from reports.tables.columns import PAPER_SPLITS
from reports.tables.table import ReportTable, TableRow
from risbench import Run, UsageError
from risbench.datasets import catalog
from risbench.metrics.metric_names import parse_all
from risbench.statistics.paired import estimates, significant_pairs


def places(table: ReportTable, column: int = 0) -> dict[str, int]:
    return {row.title: row.cells[column].place for row in table.rows}


def texts(table: ReportTable) -> dict[str, list[str]]:
    return {row.title: [cell.text for cell in row.cells] for row in table.rows}


def row_of(table: ReportTable, title: str) -> TableRow:
    (row,) = [row for row in table.rows if row.title == title]
    return row


def notes(table: ReportTable) -> str:
    return "\n".join(f"{note.mark} {note.text}" for note in table.notes)


@pytest.fixture
def made(tmp_path: Path):
    def make(name: str, level: float, seed: int = 0, **more: Any) -> Run:
        folder = tmp_path / f"{len(list(tmp_path.iterdir())):02d}-{name}"
        return write_run(folder, ious_of(level, seed), method=name, **more)

    return make


def test_best_and_second_are_those_that_a_paired_test_can_tell_apart(made):
    runs = [made("low", 0.2, 1), made("high", 0.5, 2), made("middle", 0.35, 3)]
    assert places(table_of(runs, "mIoU")) == {"low": 0, "high": 1, "middle": 2}


def test_lines_that_no_test_can_tell_apart_share_a_place_and_this_is_said(made):
    # 0.2 points apart with 5 points of noise an expression: printed differently, yet no difference.
    runs = [made("one", 0.50, 1), made("two", 0.502, 2), made("low", 0.2, 3), made("floor", 0.198, 4)]
    table = table_of(runs, "mIoU")
    assert len({cells[0] for cells in texts(table).values()}) == 4
    assert places(table) == {"one": 1, "two": 1, "low": 2, "floor": 2}
    assert "Not told apart in mIoU: one, two." in notes(table)
    assert "Not told apart in mIoU: low, floor." in notes(table)


def test_where_all_are_level_nobody_wins(made):
    table = table_of([made("one", 0.5, 1), made("two", 0.5, 1)], "mIoU")
    assert places(table) == {"one": 0, "two": 0}
    assert "Not told apart in mIoU: one, two." in notes(table)


def test_who_comes_first_does_not_decide_between_leaders_of_equal_value(tmp_path: Path):
    # Two leaders of equal mean; a third is told from the steady one only.
    steady = np.full((40, 1), 0.5)
    shaken = steady + np.tile([[0.4], [-0.4]], (20, 1))
    third = steady - 0.02
    names = {"steady": steady, "shaken": shaken, "third": third}
    runs = [write_run(tmp_path / name, ious, method=name) for name, ious in names.items()]
    found = [places(table_of(order, "mIoU")) for order in (runs, runs[::-1], [runs[1], runs[2], runs[0]])]
    assert all(order == {"steady": 1, "shaken": 1, "third": 2} for order in found)


def test_equal_methods_are_seldom_set_apart_from_the_leader_that_chance_made(tmp_path: Path):
    # Ten equal methods, 60 tables: corrected for the leader's pairs alone, every sixth table set some method apart.
    apart = 0
    for turn in range(60):
        chance = np.random.default_rng(turn)
        hard = chance.uniform(0.2, 0.8, (60, 1))
        columns = [
            {"intersection": np.clip(hard + chance.normal(0, 0.1, (60, 1)), 0, 1)[:, 0], "union": np.ones(60)}
            for _ in range(10)
        ]
        runs = [run[0] for run in estimates(columns, list(range(60)), parse_all("mIoU"))]
        leader = max(range(10), key=lambda place: runs[place].value)
        apart += any(leader in pair for pair in significant_pairs(runs))
    assert apart <= 7  # 1 in 10,000 at a rate of 5 %


def test_a_mean_over_seeds_wins_only_by_more_than_its_seeds_differ(made):
    levels = {"ours": (0.473, 0.523, 0.573), "other": (0.431, 0.467, 0.503)}
    runs = [
        made(name, level, 10 * turn + len(name), options={"seed": str(turn)})
        for name, all_levels in levels.items()
        for turn, level in enumerate(all_levels)
    ]
    table = table_of(runs, "mIoU")
    assert places(table) == {"ours": 0, "other": 0}
    assert "Not told apart in mIoU: ours, other." in notes(table)
    assert places(table_of([runs[1], runs[4]], "mIoU")) == {"ours": 1, "other": 0}


def test_a_single_run_beside_a_mean_over_seeds_is_named_and_loses_only_by_more_than_seeds_differ(made):
    runs = [made("ours", level, turn, options={"seed": str(turn)}) for turn, level in enumerate((0.473, 0.523, 0.573))]
    trained = table_of([*runs, made("other", 0.45, 9, card={"supervision": "text"})], "mIoU")
    assert places(trained) == {"ours": 0, "other": 0}
    assert "One run, whose variance between seeds is unknown: other. Tests against a mean over seeds take" in notes(
        trained
    )
    # What learns nothing gives the same whatever the seed.
    floor = table_of([*runs, made("other", 0.45, 9, card={"supervision": "none"})], "mIoU")
    assert "One run, whose variance" not in notes(floor)
    alone = table_of([runs[0], made("other", 0.45, 9, card={"supervision": "text"})], "mIoU")
    assert "One run, whose variance" not in notes(alone)


def test_one_line_alone_is_not_the_best_of_anything(made):
    table = table_of([made("one", 0.5)], "mIoU")
    assert places(table) == {"one": 0}
    assert "Bold" not in notes(table)


def test_who_looks_at_the_truth_does_not_compete(made):
    oracle = made("oracle", 0.9, 3, card={"supervision": "oracle", "reads": ["box"]})
    table = table_of([made("one", 0.5, 1), oracle, made("two", 0.2, 2)], "mIoU")
    assert places(table) == {"one": 1, "two": 0, "oracle": 0}
    assert row_of(table, "oracle").marks == ("*",)
    assert "* looks at more than image and text: box; does not compete." in notes(table)


def test_without_rows_the_printed_figure_decides_and_this_is_said(made):
    runs = [made("one", 0.5, 1), made("two", 0.2, 2)]
    for run in runs:
        (run.path / "rows.jsonl").unlink()
    table = table_of(runs, "mIoU")
    assert places(table)["one"] == 1
    assert "the differences could not be tested" in notes(table)


def test_seeds_collapse_into_mean_and_deviation(made):
    runs = [made("ours", 0.4, seed, options={"seed": seed, "k": 3}) for seed in (1, 2, 3)]
    table = table_of([*runs, made("other", 0.2, 9)], "mIoU,PointM")
    values = [run.summary["metrics"]["mIoU"]["value"] for run in runs]
    assert texts(table)["ours"][0] == f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"
    assert "±" not in texts(table)["other"][0]
    assert "Mean ± standard deviation over 3 seeds: ours." in notes(table)


def test_runs_that_differ_in_more_than_the_seed_stand_apart(made):
    runs = [made("ours", 0.4, 1, options={"seed": 1, "k": 3}), made("ours", 0.4, 2, options={"seed": 2, "k": 5})]
    assert list(texts(table_of(runs, "mIoU"))) == ["ours (k 3)", "ours (k 5)"]


def test_the_same_seed_twice_is_no_second_seed(made):
    table = table_of([made("ours", 0.4, 1, options={"seed": 1}), made("ours", 0.4, 1, options={"seed": 1})], "mIoU")
    assert len(table.rows) == 2
    assert all("±" not in cells[0] for cells in texts(table).values())


def test_each_split_may_have_its_own_weights(made):
    runs = [made("ours", 0.4, split=split) for split in ("refcoco_val", "refcoco+_val")]
    for run, weights in zip(runs, ("a.pth", "b.pth"), strict=True):
        run.header["arguments"]["weights"] = weights
        run.header["method"]["card"]["weights"] = weights
    assert list(texts(table_of(runs, "mIoU"))) == ["ours"]
    again = made("ours", 0.3, split="refcoco_val")
    again.header["arguments"]["weights"] = "c.pth"
    assert list(texts(table_of([*runs, again], "mIoU"))) == [f"ours (weights {name}.pth)" for name in "abc"]


def test_splits_are_groups_of_columns(made):
    runs = [made("a", 0.4, split="refcoco_val"), made("b", 0.5, split="refcocog_val_g")]
    table = table_of(runs, "mIoU,PointM")
    assert table.spans == (("refcoco_val", 2), ("refcocog_val_g", 2))
    assert texts(table)["a"][2:] == texts(table)["b"][:2] == ["–", "–"]


def test_supervision_makes_groups_from_the_most_to_none(made):
    runs = [
        made("truth", 0.9, card={"supervision": "oracle", "reads": ["box"]}),
        made("free", 0.2, card={"supervision": "none"}),
        made("words", 0.4, card={"supervision": "text + SAM"}),
        made("masks", 0.7, card={"supervision": "mask"}),
        made("silent", 0.1, card={}),
    ]
    table = table_of(runs, "mIoU")
    assert [row.title for row in table.rows] == ["masks", "words", "free", "truth", "silent"]
    assert all(title for title, _ in table.groups)
    assert f"{row_of(table, 'words').marks[0]} besides: SAM." in notes(table)


@pytest.mark.parametrize(
    ("words", "group", "extra"),
    [
        ("text", "text", ""),
        ("text + SAM", "text", "SAM"),
        ("text + COCO-trained detector", "text", "COCO-trained detector"),
        ("none (training-free), CLIP + proposals", "none", "training-free, CLIP + proposals"),
        ("Mask", "mask", ""),
        ("5 % masks", "mask", "5 % masks"),
        ("30 % masks + boxes", "mask", "30 % masks + boxes"),
        ("box or point", "box", "box or point"),
        ("class labels", "class", ""),
        ("Class labels + ImageNet", "class", "ImageNet"),
        ("image-level labels, ImageNet", "class", "ImageNet"),
        ("class labels or boxes", "class", "class labels or boxes"),
        ("class labelling of somebody", "", "class labelling of somebody"),
        ("5 % of something", "", "5 % of something"),
        ("image-text pairs of the web", "", "image-text pairs of the web"),
        ("", "", ""),
    ],
)
def test_the_first_word_of_supervision_names_the_group(words: str, group: str, extra: str):
    assert supervision_of(words) == Supervision(group, extra)


def test_extra_data_is_extra_supervision():
    assert of_card({"supervision": "text", "extra_data": ["CLIP", "SAM"]}) == Supervision("text", "CLIP, SAM")
    assert of_card({"supervision": "text", "extra_data": "none"}) == Supervision("text", "")


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"rules": "clean"}, r"different rules \(tris and clean\)"),
        ({"source": "1" * 64}, r"different copies of refcoco_val \(instances.json differ\)"),
        ({"limit": 3, "partial": True}, r"different limits \(all images and the first 3 images\)"),
    ],
)
def test_what_differs_is_refused_by_name_unless_mixed_and_then_footnoted(made, more: dict[str, Any], what: str):
    runs = [made("one", 0.5, 1), made("two", 0.2, 2, **more)]
    with pytest.raises(UsageError, match=what):
        table_of(runs, "mIoU")
    table = table_of(runs, "mIoU", mixed=True)
    assert row_of(table, "two").cells[0].marks
    assert not row_of(table, "one").cells[0].marks
    assert "MIXED on refcoco_val" in notes(table)
    # What cannot be compared has no best, and nothing was tested that could have told the lines apart.
    assert set(places(table).values()) == {0}
    assert "Untested on refcoco_val" in notes(table)
    assert "Not told apart" not in notes(table)
    assert "Bold" not in notes(table)


def test_runs_on_one_partial_copy_are_accepted_and_footnoted(made):
    table = table_of([made("one", 0.5, 1, partial=True), made("two", 0.2, 2, partial=True)], "mIoU")
    assert "PARTIAL" in notes(table)
    assert places(table)["one"] == 1


def test_published_figures_stand_beside_ours_with_their_source_and_never_compete(made):
    runs = [made("tris", 0.2, 1), made("other", 0.1, 2)]
    plain, table = table_of(runs, "mIoU"), table_of(runs, "mIoU", published=True)
    assert {name: cells for name, cells in texts(table).items() if name in texts(plain)} == texts(plain)
    assert [row for row in table.rows if not row.line.reported] == [
        *(row for row in plain.rows if not row.line.reported)
    ] or texts(table)["tris"] == texts(plain)["tris"]
    paper = row_of(table, "TRIS")
    assert paper.cells[0].text == "31.2"
    assert paper.cells[0].place == 0
    assert "†" in paper.marks
    assert "MaskRIS (arXiv 2411.19067), Table 2" in notes(table)
    assert places(table)["tris"] == 1


def test_derived_figures_have_a_mark_of_their_own(made):
    table = table_of([made("ours", 0.2, split="refcocog_val_g")], "mIoU", published=True)
    assert "‡" in row_of(table, "TRIS").cells[0].marks
    assert "‡" not in row_of(table, "LAVT").cells[0].marks
    assert "‡ derived from printed figures." in notes(table)


def test_another_protocols_figures_say_so(made):
    table = table_of([made("ours", 0.2, split="referit_test_5pct")], "PointIt", published=True)
    assert "WWbL's own protocol" in notes(table)


def test_column_sets_name_the_papers_columns(made):
    run = made("ours", 0.2)
    table = table_of([run], columns="paper1", published=True)
    assert [title for title, _ in table.spans] == [name for name in PAPER_SPLITS if name != "referit_test_5pct"]
    assert table.heads[:3] == ("mIoU", "P@0.5", "PointM")
    assert table_of([run], columns="paper2").heads == ("PointIt", "Accbox")
    with pytest.raises(UsageError, match="paper1, paper2"):
        table_of([run], columns="paper3")
    with pytest.raises(UsageError, match="leave --metrics out"):
        table_of([run], "mIoU", columns="paper1")
    assert set(PAPER_SPLITS) <= set(catalog.names())


def test_costs_are_columns_on_request(made):
    runs = [made("cpu", 0.2, 1), made("gpu", 0.3, 2, gpu="A GPU", parameters=None)]
    table = table_of(runs, "mIoU", efficiency=True)
    assert table.heads == ("mIoU", "Params (M)", "Images/s", "Memory (GiB)")
    assert texts(table)["cpu"][1:] == ["1.5", "10.0", "1.5"]
    assert texts(table)["gpu"][1:] == ["–", "10.0", "5.0"]
    assert "Cost measured on A processor, 2 cores" in notes(table)
    assert "Cost measured on A GPU" in notes(table)
    (run := made("bare", 0.2)).path.joinpath("cost.json").unlink()
    assert texts(table_of([run], "mIoU", efficiency=True))["bare"][1:] == ["–"] * 3


def test_thresholds_and_missing_predictions_are_told(made):
    chosen = made("chosen", 0.2, threshold=0.3)
    own = made("own", 0.2, threshold=0.4, card={"supervision": "text", "threshold": 0.4})
    table = table_of([chosen, own, made("short", 0.2, missing=2)], "mIoU")
    assert "heats cut at a chosen threshold 0.3." in notes(table)
    assert "heats cut at the method's threshold 0.4." in notes(table)
    assert "2 expressions without a prediction count as empty masks." in notes(table)
