from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.annotations import refer_content, write_image, write_refer

from risbench.datasets.audit.split_check import check_split
from risbench.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_refer(tmp_path / "data")
    for n in (1, 2, 3, 4):
        write_image(root / f"train2014/COCO_train2014_{n:012d}.jpg", (40, 60))
    return root


def _problems(report) -> list[tuple[str, str]]:
    return [(problem.kind, problem.name) for problem in report.problems]


def test_boxes_that_do_not_fit_their_masks_are_named(root: Path):
    report = check_split("refcoco_val", root)
    # The crowd of the made-up set is five pixels high and its box is thirty; object 13 has a second part elsewhere.
    assert _problems(report) == [("box", "annotation 13"), ("box", "annotation 14")]
    assert (report.masks, report.without_mask, report.images_present, report.images_absent) == (4, 0, 2, 0)
    assert report.partial
    assert not report.ok


def test_what_has_no_target_is_counted_and_no_problem(root: Path):
    report = check_split("refcoco_testB", root)
    assert (report.masks, report.without_mask) == (2, 1)
    assert report.ok


def test_absent_broken_and_resized_images_are_named(root: Path):
    (root / "train2014/COCO_train2014_000000000003.jpg").unlink()
    write_image(root / "train2014/COCO_train2014_000000000004.jpg", (41, 60))
    report = check_split("refcoco_testB", root)
    assert [name for _, name in _problems(report)] == [f"COCO_train2014_{n:012d}.jpg" for n in (3, 4)]
    assert "train2014.zip" in report.problems[0].text
    assert "41x60" in report.problems[1].text
    assert (report.images_present, report.images_absent) == (1, 1)
    assert check_split("refcoco_testB", root, images=False).ok


def test_masks_that_cannot_be_drawn_and_doubled_ids_are_named(tmp_path: Path):
    instances, refs = refer_content()
    instances["annotations"][6]["segmentation"] = [[1, 2, 3, 4]]
    instances["annotations"][5]["segmentation"] = {"size": [9, 9], "counts": [81]}
    instances["images"].append(instances["images"][0])
    refs.append({**refs[0], "split": "train", "sentences": []})
    report = check_split("refcoco_testB", write_refer(tmp_path, instances, refs), images=False)
    assert _problems(report) == [
        ("id", "image 1"),
        ("id", "ref 101"),
        ("mask", "annotation 17"),
        ("mask", "annotation 16"),
    ]


def test_files_that_cannot_be_read_are_a_problem_not_an_error(root: Path):
    (root / "refer/refcoco/instances.json").write_text(json.dumps({}))
    (problem,) = check_split("refcoco_val", root).problems
    assert problem.kind == "files"
    assert "instances.json" in problem.text
    with pytest.raises(UsageError):
        check_split("refcoco_vall", root)


def test_progress_runs_to_its_end(root: Path):
    steps: list[tuple[int, int]] = []
    check_split("refcoco_val", root, progress=lambda *step: steps.append(step))
    assert steps == sorted(steps)
    assert steps[-1] == (4, 4)
