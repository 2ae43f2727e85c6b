"""The picture of an image is found under all of its common names, and never another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.annotations import image, refer_content, write_image, write_refer
from helpers.commands import Ask

from risbench import DataError, load_split
from risbench.datasets.audit.split_check import check_split
from risbench.datasets.image_names import names_of
from risbench.datasets.images import read_image

SIZE = (40, 60)
NUMBER = "000000000001"


def root_with(tmp_path: Path, annotated: str, *there: str, size: tuple[int, int] = SIZE) -> Path:
    """A data root whose image 1 is annotated under a name and lies where it is said."""
    instances, refs = refer_content()
    instances["images"] = [image(n, SIZE, annotated.replace(NUMBER, f"{n:012d}")) for n in (1, 2, 3, 4)]
    root = write_refer(tmp_path / "root", instances, refs)
    for path in there:
        write_image(root / path, size, value=70)
    return root


def found(root: Path) -> Path:
    return next(sample for sample in load_split("refcoco_val", root) if sample.image_id == 1).image_path


OWN = f"COCO_train2014_{NUMBER}.jpg"


@pytest.mark.parametrize(
    ("annotated", "there"),
    [
        (OWN, f"train2017/{NUMBER}.jpg"),
        (OWN, f"train2014/{NUMBER}.jpg"),
        (OWN, f"images/train2014/{OWN}"),
        (OWN, f"coco/train2014/{OWN}"),
        (OWN, f"coco/images/train2017/{NUMBER}.jpg"),
        (OWN, f"val2017/{NUMBER}.jpg"),
        (OWN, f"train2014/COCO_train2014_{NUMBER}.JPG"),
        (OWN, f"train2014/COCO_train2014_{NUMBER}.jpeg"),
        (OWN, f"train2014/COCO_train2014_{NUMBER}.png"),
        (f"train2014/{OWN}", f"train2014/{OWN}"),
        (f"train2014\\{OWN}", f"train2014/{OWN}"),
        (f"images/mscoco/images/train2014/{OWN}", f"train2014/{OWN}"),
        (f"COCO_train2014_{NUMBER}_3.jpg", f"train2014/{OWN}"),
        (f"{NUMBER}.jpg", f"train2014/{OWN}"),
        (f"train2017/{NUMBER}.jpg", f"images/mscoco/images/train2014/{OWN}"),
        (f"COCO_val2014_{NUMBER}.jpg", f"val2014/COCO_val2014_{NUMBER}.jpg"),
        (f"COCO_val2014_{NUMBER}.jpg", f"val2017/{NUMBER}.jpg"),
        (f"{NUMBER}.jpg", f"val2014/COCO_val2014_{NUMBER}.jpg"),
    ],
)
def test_a_picture_is_found_under_its_other_names(tmp_path: Path, annotated: str, there: str):
    root = root_with(tmp_path, annotated, there)
    assert found(root) == root / there
    assert read_image(found(root), SIZE)[0, 0, 0] == pytest.approx(70, abs=3)
    assert "COCO_train2014_000000000001" not in [problem.name for problem in check_split("refcoco_val", root).problems]


def test_its_own_name_goes_before_any_other(tmp_path: Path):
    root = root_with(tmp_path, OWN, f"train2014/{NUMBER}.jpg", f"images/train2014/{OWN}", f"train2017/{NUMBER}.jpg")
    assert found(root) == root / f"images/train2014/{OWN}"


def test_a_picture_of_another_number_or_size_is_never_taken(tmp_path: Path):
    root = root_with(tmp_path, OWN, "train2014/000000000011.jpg", f"train2014/x{OWN}", f"train2014/1_{NUMBER}.jpg")
    assert not found(root).exists()
    other = root_with(tmp_path / "other", OWN, f"train2017/{NUMBER}.jpg", size=(41, 60))
    with pytest.raises(DataError, match="its annotation says 40x60"):
        read_image(found(other), SIZE)


def test_files_that_are_not_cocos_are_looked_for_in_their_own_folder_alone():
    assert "b.jpg" not in set(names_of("a/b.jpg"))
    assert set(names_of("a\\b.jpg")) >= {"a/b.jpg", "a/b.JPG", "a/b.png"}


def test_what_is_nowhere_is_told_with_the_places_that_were_looked_at(tmp_path: Path, ask: Ask):
    root = root_with(tmp_path, OWN, "train2014/000000000009.jpg")
    result = ask("run", "--method", "centre", "--split", "refcoco_val", "--data-root", root, "--out", "run")
    assert result.code == 1
    for place in ("train2017", "images/", "coco/", "000000000002.jpg"):
        assert place in result.err
    assert "train2017" in check_split("refcoco_val", root).problems[0].text
    where = ask("data", "where", "refcoco_val", "--data-root", root)
    assert "also looked in: " in where.out
    assert len(where.out.splitlines()) < 14


def test_a_folder_of_2017_is_imported_for_the_images_that_annotations_name(tmp_path: Path, ask: Ask):
    root = root_with(tmp_path, OWN)
    mine = tmp_path / "mine" / "train2017"
    for number in (1, 2, 77):
        write_image(mine / f"{number:012d}.jpg", SIZE)
    result = ask("data", "import", "--from", mine.parent, "--data-root", root)
    assert result.code == 0
    assert "images  train2014: 2 linked, 1 not needed" in result.out
    assert found(root) == root / "train2014" / OWN
    empty = ask("data", "import", "--from", mine.parent, "--data-root", tmp_path / "empty")
    assert (empty.code, (tmp_path / "empty" / "train2014").exists()) == (1, False)
