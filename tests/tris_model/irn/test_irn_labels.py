"""Confident labels and the folders of their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from helpers.irn_drawn import disc
from PIL import Image

from risbench.errors import DataError
from tris_model.irn import labels
from tris_model.irn.items import FileItem, checked_heat


@dataclass
class Given:
    name: str
    pixels: np.ndarray
    values: np.ndarray
    looked: list[str] = field(default_factory=list)

    @property
    def picture(self) -> str:
        return self.name

    def image(self) -> np.ndarray:
        self.looked.append(self.name)
        return self.pixels

    def heat(self) -> np.ndarray:
        return self.values


def one(name: str = "0_1") -> Given:
    image = np.full((30, 40, 3), 90, np.uint8)
    image[8:22, 10:30] = (220, 40, 40)
    heat = np.zeros((30, 40), np.float32)
    heat[8:22, 10:30] = 0.2
    heat[10:20, 12:28] = 1
    return Given(name, image, heat)


def test_what_only_the_low_cut_holds_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "clean", lambda image, cuts, engine, device: cuts)  # the rule alone
    heat = np.array([[0, 0.1, 0.11, 0.3, 0.31, 1.0]], np.float32)
    found = labels.confident(np.zeros((1, 6, 3), np.uint8), heat)
    assert found.tolist() == [[0, 0, 255, 255, 1, 1]]  # both cuts are "more than"


def test_a_pixel_that_the_high_cut_alone_holds_is_object(monkeypatch: pytest.MonkeyPatch) -> None:
    # The CRF cleans the cuts apart, so this can be.
    cuts = np.array([[[True, False, False]], [[False, False, True]]])
    monkeypatch.setattr(labels, "clean", lambda image, given, engine, device: cuts)
    assert labels.confident(np.zeros((1, 3, 3), np.uint8), np.zeros((1, 3), np.float32)).tolist() == [[1, 0, 255]]


def test_labels_end_at_the_colours() -> None:
    item = one()
    found = labels.confident(item.image(), item.heat(), engine="torch")
    want = np.zeros((30, 40), np.uint8)
    want[8:22, 10:30] = 1
    np.testing.assert_array_equal(found, want)


def test_a_heat_of_zeros_is_background_everywhere() -> None:
    item = one()
    assert not labels.confident(item.image(), np.zeros((30, 40), np.float32)).any()


def test_heats_that_are_none_are_refused() -> None:
    image = one().image()
    for heat, why in (
        (np.full((30, 40), np.nan, np.float32), "NaN"),
        (np.full((30, 40), np.inf, np.float32), "infinite"),
        (np.zeros((30, 41), np.float32), "like its image"),
        (np.zeros((30, 40), np.uint8), "uint8"),
    ):
        with pytest.raises(DataError, match=why):
            labels.confident(image, heat)
    assert checked_heat(np.full((2, 2), -1.0), (2, 2)).tolist() == [[0, 0], [0, 0]]


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    items = [one(f"{index}_7") for index in range(3)]
    heard: list[str] = []
    assert labels.write_labels(items[:2], tmp_path, tell=heard.append) == 2
    before = (tmp_path / "0_7.png").stat().st_mtime_ns
    assert labels.write_labels(items, tmp_path, tell=heard.append) == 1
    assert [len(item.looked) for item in items] == [1, 1, 1]
    assert (tmp_path / "0_7.png").stat().st_mtime_ns == before
    assert heard == ["0_7", "1_7", "0_7", "1_7", "2_7"]
    np.testing.assert_array_equal(
        labels.read_labels(tmp_path, "2_7"), labels.confident(items[2].pixels, items[2].values)
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0_7.png", "1_7.png", "2_7.png"]


def test_a_bad_heat_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    bad = one("5_9")
    bad.values = np.full((30, 40), np.nan, np.float32)
    with pytest.raises(DataError, match="5_9"):
        labels.write_labels([bad], tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_with_other_values_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    for name in ("a", "b", "absent"):
        with pytest.raises(DataError, match=f"{name}.png"):
            labels.read_labels(tmp_path, name)


def test_items_are_read_from_files_but_never_from_pickles(tmp_path: Path) -> None:
    item = one()
    Image.fromarray(item.pixels).save(tmp_path / "image.png")
    np.save(tmp_path / "heat.npy", item.values)
    np.save(tmp_path / "pickle.npy", np.array({"a": 1}), allow_pickle=True)
    read = FileItem("0_1", tmp_path / "image.png", tmp_path / "heat.npy")
    np.testing.assert_array_equal(read.image(), item.pixels)
    np.testing.assert_array_equal(read.heat(), item.values)
    for name in ("pickle.npy", "absent.npy"):
        with pytest.raises(DataError, match=name):
            FileItem("0_1", tmp_path / "image.png", tmp_path / name).heat()


def test_heats_of_one_image_are_labelled_together_as_each_alone() -> None:
    one, other = disc(0), disc(1)
    heats = np.stack([one.values, other.values, np.zeros_like(one.values)])
    together = labels.confident(one.pixels, heats, engine="torch")
    for heat, known in zip(heats, together, strict=True):
        # As in test_irn_crf: several maps add up in another order than one.
        assert (known == labels.confident(one.pixels, heat, engine="torch")).mean() > 0.999
