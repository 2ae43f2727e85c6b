"""Files of results as people write them: what is unambiguous is read, the rest is named with the next step."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.brought import array, entries, iou_of, lines, split_with, truth_of

from risbench import DataError, RisbenchError, Split, UsageError
from risbench.io import reading
from risbench.results import heats
from risbench.results.npy import read_npy
from risbench.scoring.sources import source_of


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return split_with(tmp_path / "data")


def coded(change: Callable[[dict[str, Any]], Any]) -> Callable[[Split], list[dict[str, Any]]]:
    return lambda split: [{**entry, "segmentation": change(entry["segmentation"])} for entry in entries(split)]


def lengths(code: dict[str, Any]) -> dict[str, Any]:
    from risbench.masks import runs_of

    return {"size": code["size"], "counts": runs_of(code).tolist()}


CODES = {
    "sizes as floats": coded(lambda code: {**code, "size": [40.0, 60.0]}),
    "sizes as text": coded(lambda code: {**code, "size": ["40", "60"]}),
    "bytes as text": coded(lambda code: {**code, "counts": str(code["counts"].encode())}),
    "lists of lengths": coded(lengths),
}


@pytest.mark.parametrize("name", CODES)
def test_a_code_is_read_however_its_numbers_are_written(split: Split, tmp_path: Path, name: str):
    found = CODES[name](split)
    assert iou_of(lines(tmp_path / "masks.jsonl", found), split, tmp_path / "lines") == 1
    assert iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "array") == 1


def test_a_backslash_of_a_code_survives_bytes_written_as_text():
    from risbench.masks import decode, pack

    code = next(code for gap in range(1, 2000) if "\\" in (code := pack([5, gap, 2400 - 5 - gap], (40, 60)))["counts"])
    again = decode({**code, "counts": str(code["counts"].encode())})
    np.testing.assert_array_equal(again, decode(code))


FILES: dict[str, Callable[[Split, Path], Path]] = {
    "under annotations": lambda split, folder: array(folder / "a.json", {"info": {}, "annotations": entries(split)}),
    "under results": lambda split, folder: array(folder / "a.json", {"results": entries(split)}),
    "under predictions": lambda split, folder: array(folder / "a.json", {"predictions": entries(split)}),
    "an array named .jsonl": lambda split, folder: array(folder / "a.jsonl", entries(split)),
    "lines named .json": lambda split, folder: lines(folder / "a.json", entries(split)),
    "lines in UTF-16": lambda split, folder: lines(folder / "a.jsonl", entries(split), "utf-16"),
    "lines with a mark": lambda split, folder: lines(folder / "a.jsonl", entries(split), "utf-8-sig"),
    "an array in UTF-16": lambda split, folder: array(folder / "a.json", entries(split), "utf-16"),
    "an array with a mark": lambda split, folder: array(folder / "a.json", entries(split), "utf-8-sig"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_for_what_it_holds(split: Split, tmp_path: Path, name: str):
    assert iou_of(FILES[name](split, tmp_path), split, tmp_path / "run") == 1


def test_a_single_entry_is_a_file_of_one(split: Split, tmp_path: Path):
    one = tmp_path / "one.json"
    for indent in (None, 2):
        one.write_text(json.dumps(entries(split)[0], indent=indent))
        assert list(source_of(one).names) == [str(split[0].sent_id)]


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("9.png"))
    return stream.getvalue()


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("9.png", b"")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", gzip.compress(b"[]"), "compressed by gzip: unpack it"),
        ("a.jsonl.gz", gzip.compress(b"{}"), "compressed by gzip: unpack it"),
        ("a.zip", _zip(), "a zip archive: unpack it"),
        ("a.tar", _tar(), "a tar archive: unpack it"),
        ("a.json", pickle.dumps([]), "a pickle, which may run code"),
        ("a.pkl", pickle.dumps([], protocol=0), "a pickle, which may run code"),
        ("a.pth", _zip(), "torch's own form, which may run code"),
        ("a.npz", _zip(), "one archive of arrays"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "a MATLAB file: write"),
        ("a.csv", b"sent_id,counts\n", "a table: write a .jsonl"),
        ("9.png", b"\x89PNG\r\n\x1a\n", "one picture: give the folder"),
        ("9.npy", b"\x93NUMPY", "one array: give the folder"),
        ("a.json", b"<!doctype html>", "a page of HTML or XML"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_what_is_no_file_of_masks_is_named_as_what_it_is(
    split: Split, tmp_path: Path, name: str, content: bytes, reason: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        iou_of(tmp_path / name, split, tmp_path / "run")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"preds": [{}]}, r"this is dict; give its list 'preds' alone, or under 'annotations'"),
        ({"annotations": [], "results": []}, "it holds several lists"),
        ({"9": {"size": [40, 60], "counts": "x"}}, r"this is dict; write a list of \{\"sent_id\""),
    ],
)
def test_an_object_of_another_form_is_told_what_to_write(split: Split, tmp_path: Path, value: Any, reason: str):
    with pytest.raises(DataError, match=reason):
        iou_of(array(tmp_path / "a.json", value), split, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda entry: {**entry, "segmentation": [[1, 2, 3, 4, 5, 6]]},
            "it is a list of polygons; give the run-length",
        ),
        (lambda entry: {**entry, "segmentation": [entry["segmentation"]]}, "it is a list; give one code"),
        (lambda entry: {"sent_id": entry["sent_id"], **entry["segmentation"]}, "'counts' is outside of it"),
        (lambda entry: {"sent_id": entry["sent_id"], "mask": entry["segmentation"]}, "it has 'mask'"),
    ],
)
def test_an_entry_whose_mask_stands_elsewhere_is_told_so(
    split: Split, tmp_path: Path, change: Callable[[dict[str, Any]], Any], reason: str
):
    with pytest.raises(RisbenchError, match=reason):
        iou_of(lines(tmp_path / "a.jsonl", map(change, entries(split))), split, tmp_path / "run")  # type: ignore[arg-type]


def test_text_in_wide_characters_without_a_mark_is_named(split: Split, tmp_path: Path):
    with pytest.raises(DataError, match="zero bytes in it, as in UTF-16: save the file as UTF-8"):
        iou_of(lines(tmp_path / "a.jsonl", entries(split), "utf-16-le"), split, tmp_path / "run")


def test_a_folder_of_other_files_says_what_lies_there(split: Split, tmp_path: Path):
    place = tmp_path / "out"
    place.mkdir()
    with pytest.raises(UsageError, match="it is empty"):
        iou_of(place, split, tmp_path / "run")
    (place / "log.txt").touch()
    with pytest.raises(UsageError, match=r"it holds 1 \.txt files"):
        iou_of(place, split, tmp_path / "run")
    array(place / "results.json", entries(split))
    with pytest.raises(UsageError, match=r"give the file, .*results\.json"):
        iou_of(place, split, tmp_path / "run")


# Bounds


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_line_without_end_is_refused_before_it_is_read_whole(
    split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = lines(tmp_path / "a.jsonl", entries(split))
    monkeypatch.setattr(reading, "LINE_BYTES", 1000)
    assert iou_of(path, split, tmp_path / "run") == 1
    path.write_text(path.read_text() + " " * 1001)
    with pytest.raises(DataError, match=r"a\.jsonl, line 7: is longer than the 1,000 bytes"):
        iou_of(path, split, tmp_path / "again")


def test_files_larger_than_their_kind_are_refused_unread(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good = lines(tmp_path / "good.jsonl", entries(split))
    run = tmp_path / "run"
    iou_of(good, split, run)
    with pytest.raises(DataError, match=r"has 4,294,967,296 bytes; a JSON file .* may have at most"):
        iou_of(sparse(tmp_path / "a.json", 1 << 32), split, tmp_path / "no")
    with pytest.raises(DataError, match=r"has 4,294,967,296 bytes; a card may have at most"):
        iou_of(good, split, tmp_path / "no", card=sparse(tmp_path / "card.toml", 1 << 32))
    sparse(run / "header.json", 1 << 32)
    with pytest.raises(DataError, match=r"header\.json: has 4,294,967,296 bytes; a record of a run may have at most"):
        iou_of(run, split, tmp_path / "no")
    place = tmp_path / "png"
    place.mkdir()
    sparse(place / "9.png", (1 << 28) + 1)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("all of it was hashed"))
    with pytest.raises(DataError, match=r"9\.png: has 268,435,457 bytes; a picture of a mask may have at most"):
        iou_of(place, split, tmp_path / "no", allow_missing=True)


def test_an_array_of_more_values_than_an_image_has_pixels_is_refused_unread(tmp_path: Path):
    file = tmp_path / "9.npy"
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|b1", "fortran_order": False, "shape": (1 << 16, 1 << 16)}
        )
        stream.truncate(stream.tell() + (1 << 32))
    with file.open("rb") as stream, pytest.raises(DataError, match=r"more values \(4\.29e\+09\) than any image"):
        read_npy(stream, file.stat().st_size, str(file))


def test_heats_of_more_bytes_than_an_image_needs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    heats.save(tmp_path, 1, {"a": np.ones((4, 4), np.float32)}, "float32")
    monkeypatch.setattr(reading, "HEATS_BYTES", 100)
    with pytest.raises(DataError, match="holds more than 100 bytes of heats"):
        heats.load(tmp_path, 1)


def test_pipes_and_devices_are_refused_and_never_waited_for(split: Split, tmp_path: Path):
    good = lines(tmp_path / "good.jsonl", entries(split))
    os.mkfifo(tmp_path / "pipe.jsonl")
    for endless in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(DataError, match="a pipe or a device, which may never end"):
            iou_of(endless, split, tmp_path / "run")
        with pytest.raises(DataError, match="a pipe or a device, which may never end"):
            iou_of(good, split, tmp_path / "run", card=endless)
        with pytest.raises(DataError, match="a pipe or a device, which may never end"):
            split.with_truth(endless)


def test_the_truth_of_these_tests_is_not_empty(split: Split):
    assert all(truth_of(sample).any() for sample in split)
