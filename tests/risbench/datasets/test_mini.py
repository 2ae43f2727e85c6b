"""The authors' tiny copy of RefCOCO, where there is one (it is not part of the repository)."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from risbench.datasets import load_split
from risbench.datasets.audit.leaks import find_leaks
from risbench.datasets.audit.split_check import check_split
from risbench.datasets.images import read_image
from risbench.masks import decode

PARTS = [("refcoco", "unc", part) for part in ("val", "testA", "testB")]
PARTS += [("refcoco+", "unc", part) for part in ("val", "testA", "testB")]
PARTS += [("refcocog", "google", "val"), ("refcocog", "umd", "val"), ("refcocog", "umd", "test")]


def _name(folder: str, by: str, part: str) -> str:
    return f"{folder}_{part}" + {"unc": "", "google": "_g", "umd": "_u"}[by]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the COCO tools' own
@pytest.mark.parametrize(("folder", "by", "part"), PARTS)
def test_a_tiny_copy_reads_as_its_files_say(mini: Path, folder: str, by: str, part: str):
    place = mini / "refer" / folder
    with (place / f"refs({by}).p").open("rb") as file:
        refs = [ref for ref in pickle.load(file, encoding="latin1") if ref["split"] == part]
    instances = json.loads((place / "instances.json").read_text())
    anns = {ann["id"]: ann for ann in instances["annotations"]}
    names = {category["id"]: category["name"] for category in instances["categories"]}
    split = load_split(_name(folder, by, part), mini)
    assert split.partial
    wanted = [(ref, sentence) for ref in refs for sentence in ref["sentences"]]
    assert len(split) == len(wanted) > 0
    for sample, (ref, sentence) in zip(split, wanted, strict=True):
        ann = anns[ref["ann_id"]]
        assert (sample.ref_id, sample.sent_id, sample.text) == (ref["ref_id"], sentence["sent_id"], sentence["sent"])
        assert sample.category == names[ann["category_id"]]
        x, y, width, height = ann["bbox"]
        assert tuple(sample.box or ()) == (x, y, x + width, y + height)
        codes = ann["segmentation"]  # polygons, or codes that are stored already
        drawn = coco.decode(codes if isinstance(codes[0], dict) else coco.frPyObjects(codes, *sample.size))
        assert len(sample.parts) == drawn.shape[2]
        for n, code in enumerate(sample.parts):
            np.testing.assert_array_equal(decode(code), drawn[:, :, n] == 1)
    for image_id in split.images:
        assert [thing.ann_id for thing in split.objects(image_id)] == [
            ann["id"] for ann in instances["annotations"] if ann["image_id"] == image_id
        ]


@pytest.mark.parametrize(("folder", "by", "part"), PARTS)
def test_its_images_are_there_and_of_their_size(mini: Path, folder: str, by: str, part: str):
    split = load_split(_name(folder, by, part), mini)
    for sample, *_ in split.by_image():
        assert read_image(sample.image_path, sample.size).shape == (*sample.size, 3)


def test_it_passes_its_check(mini: Path):
    report = check_split("refcoco_testA", mini)
    assert report.ok, report.problems
    assert report.images_absent == 0


def test_leaks_are_looked_for_in_what_is_there(mini: Path):
    assert all(leak.images <= leak.of_images for leak in find_leaks(mini))
