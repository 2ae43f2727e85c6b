from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import write_refer
from helpers.commands import Ask
from PIL import Image

from risbench.datasets.audit.split_check import check_split
from risbench.datasets.images import read_header, read_image
from risbench.errors import DataError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def _save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_pixels_come_out_as_they_are_stored(tmp_path: Path):
    found = read_image(_save(tmp_path / "a.png", Image.fromarray(COLOURS)), (5, 7))
    np.testing.assert_array_equal(found, COLOURS)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    assert found.flags.c_contiguous


def test_greys_palettes_and_single_bits_become_rgb(tmp_path: Path):
    grey = Image.fromarray(COLOURS[:, :, 0])
    for name, image in [("l", grey), ("la", grey.convert("LA")), ("p", grey.convert("P")), ("1", grey.convert("1"))]:
        wanted = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(read_image(_save(tmp_path / f"{name}.png", image)), wanted)


def test_alpha_is_dropped_not_blended(tmp_path: Path):
    image = Image.fromarray(np.dstack([COLOURS, np.zeros((5, 7), np.uint8)]))
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.png", image)), COLOURS)


def test_a_palette_with_transparent_entries_needs_no_warning(tmp_path: Path):
    image = Image.fromarray(COLOURS).quantize(8)
    path = _save(tmp_path / "a.png", image, transparency=bytes([0, 128, 255, 255]))
    np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path):
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    found = read_image(_save(tmp_path / "a.png", Image.fromarray(deep)))
    assert found[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]


def test_cmyk_becomes_rgb(tmp_path: Path):
    path = _save(tmp_path / "a.jpg", Image.fromarray(COLOURS).convert("CMYK"))
    assert read_image(path, (5, 7)).shape == (5, 7, 3)


def test_the_rotation_of_exif_is_not_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = _save(tmp_path / "a.jpg", Image.fromarray(COLOURS), exif=exif)
    assert read_image(path, (5, 7)).shape == (5, 7, 3)


def test_another_size_than_the_annotation_says_is_refused(tmp_path: Path):
    path = _save(tmp_path / "a.png", Image.fromarray(COLOURS))
    with pytest.raises(DataError, match=r"a\.png: is 5x7 \(height x width\), its annotation says 7x5"):
        read_image(path, (7, 5))


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_truncated_image_is_named(tmp_path: Path, form: str):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, form)
    path = tmp_path / f"cut.{form}"
    for length in (len(buffer.getvalue()) // 2, 60, 8, 0):
        path.write_bytes(buffer.getvalue()[:length])
        with pytest.raises(DataError, match=rf"cut\.{form}: ") as caught:
            read_image(path)
        assert "\n" not in str(caught.value)


def test_what_is_no_image_is_named(tmp_path: Path):
    path = tmp_path / "page.jpg"
    path.write_text("<html>404</html>")
    with pytest.raises(DataError, match=r"page\.jpg: is a web page saved under this name"):
        read_image(path)
    with pytest.raises(DataError, match="broken"):
        read_image(tmp_path)


def test_a_missing_image_is_named_with_where_it_comes_from(tmp_path: Path):
    with pytest.raises(DataError, match=r"COCO_train2014_1\.jpg: no such image; .*train2014\.zip"):
        read_image(tmp_path / "COCO_train2014_1.jpg")
    with pytest.raises(DataError, match=r"112\.jpg: no such image; .*saiapr_tc-12\.zip"):
        read_image(tmp_path / "saiapr_tc-12" / "112.jpg")


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_decompression_bomb_is_not_read(tmp_path: Path, side: int):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )
    with pytest.raises(DataError, match=r"bomb\.png: .*pixels"):
        read_image(path)


def _turned(path: Path, orientation: int, size: tuple[int, int] = (4, 6)) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_size_as_the_picture_is_shown_is_told_by_its_exif(tmp_path: Path, name: str, orientation: int):
    path = _turned(tmp_path / name, orientation)
    assert read_image(path, (4, 6)).shape == (4, 6, 3)
    for read in (read_image, read_header):
        with pytest.raises(
            DataError, match=rf"says 6x4, as the picture is shown: .*EXIF orientation {orientation}\).*"
        ):
            read(path, (6, 4))


def test_exchanged_sides_without_exif_are_told_as_such(tmp_path: Path):
    path = _turned(tmp_path / "a.jpg", 1)
    with pytest.raises(DataError, match="height and width are exchanged in the annotation"):
        read_image(path, (6, 4))
    with pytest.raises(DataError, match="another image, or a resized one"):
        read_image(path, (6, 5))


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_a_check_notes_images_that_ask_to_be_turned(tmp_path: Path, orientation: int):
    root = write_refer(tmp_path)
    for number in (1, 2):
        _turned(root / f"train2014/COCO_train2014_{number:012d}.jpg", orientation if number == 1 else 1, (40, 60))
    (note,) = [note for note in check_split("refcoco_val", root).notes if note.kind == "exif"]
    assert (note.count, "COCO_train2014_000000000001.jpg" in note.text) == (1, True)


@pytest.mark.parametrize(("orientation", "warned"), [(1, False), (3, True), (6, True)])
def test_own_data_on_turned_photographs_is_taken_with_a_warning(
    tmp_path: Path, ask: Ask, orientation: int, warned: bool
):
    _turned(tmp_path / "a.jpg", orientation, (40, 60))
    mask = [[10, 5, 30, 5, 30, 25, 10, 25]]
    whole = {"images": [{"file": "a.jpg", "height": 40.0, "width": "60"}]}
    whole["expressions"] = [{"text": "x", "image": "a.jpg", "mask": [*mask, [1, 2]]}]
    (tmp_path / "my.json").write_text(json.dumps(whole))
    result = ask("data", "import", "my.json", "--as", "mine", "--data-root", "root")
    assert result.code == 0
    assert ("images with an EXIF rotation: 1, the first a.jpg" in result.err) == warned
