"""`predict` answers about a picture as a viewer shows it, and writes over nothing that it was given."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask
from PIL import Image, ImageOps

from risbench import DataError, UsageError
from risbench.datasets.upright import read_upright, turned

PIXELS = np.random.default_rng(3).integers(0, 255, (12, 20, 3), np.uint8)


def picture(path: Path, orientation: int, **more) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(path, exif=exif, **more)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_every_orientation_is_turned_as_pil_turns_it(tmp_path: Path, orientation: int, suffix: str):
    path = picture(tmp_path / f"a.{suffix}", orientation, **({"lossless": True} if suffix == "webp" else {}))
    found = read_upright(path)
    # Of a PNG: some versions of Pillow turn a TIFF when they read it and once more when they are asked to.
    with Image.open(picture(tmp_path / "same.png", orientation)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(found.pixels, expected)
    assert [f"orientation {orientation}" in note for note in found.notes] == [True] * (orientation > 1)


def test_an_odd_orientation_leaves_the_picture():
    for number in (0, 1, 9, 65535):
        assert np.array_equal(turned(PIXELS, number), PIXELS)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_masks_overlays_heats_and_numbers_are_about_what_is_seen(tmp_path: Path, ask: Ask, orientation: int):
    path = picture(tmp_path / "phone.jpg", orientation, quality=95)
    result = ask("predict", "--method", "centre", path, "x", "--mask", "m.png", "--heat", "h.npy", "--json")
    height, width = (20, 12) if orientation > 4 else (12, 20)
    assert result.code == 0, result.err
    assert "is rotated by its EXIF orientation" in result.err
    with Image.open("m.png") as mask:
        assert mask.size == (width, height)
    x, y = json.loads(result.out)["answers"][0]["point"]
    assert abs(x - width / 2) <= 1
    assert abs(y - height / 2) <= 1


@pytest.mark.parametrize(
    ("mode", "suffix"), [("CMYK", "jpg"), ("I;16", "png"), ("LA", "png"), ("P", "gif"), ("1", "png"), ("F", "tif")]
)
def test_other_kinds_of_pictures_are_read(tmp_path: Path, mode: str, suffix: str):
    grey = Image.fromarray(PIXELS[..., 0])
    image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    found = read_upright(tmp_path / f"a.{suffix}")
    assert found.pixels.shape == (12, 20, 3)
    assert ["transparent" in note for note in found.notes] == [True] * (mode == "LA")


def test_of_an_animation_the_first_picture_is_taken_and_that_is_said(tmp_path: Path):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 200)]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
        found = read_upright(tmp_path / f"a.{suffix}")
        assert found.pixels.max() < 20
        assert any("the first one is used" in note for note in found.notes)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_forms_of_telephones_that_are_not_read_say_what_to_do(tmp_path: Path, brand: bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0" * 50)
    with pytest.raises(DataError, match=r"is (HEIC|HEIF|AVIF), which is not supported: save it as JPEG"):
        read_upright(path)


def test_an_address_and_a_folder_are_no_picture(tmp_path: Path):
    for address in ("https://example.org/a.jpg", "s3://bucket/a.jpg"):
        with pytest.raises(UsageError, match="is a URL: download the picture first"):
            read_upright(address)
    with pytest.raises(UsageError, match="is a folder"):
        read_upright(tmp_path)


def test_nothing_that_was_given_is_written_over(tmp_path: Path, ask: Ask):
    path = picture(tmp_path / "a.png", 1)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    (tmp_path / "hard.png").hardlink_to(path)
    one = picture(tmp_path / "m-1.png", 1)
    for words in (
        ("--mask", path),
        ("--overlay", tmp_path / "link.png"),
        ("--mask", tmp_path / "hard.png"),
        ("--mask", "b.png", "--overlay", "b.png"),
        ("--mask", "a.png"),
    ):
        result = ask("predict", "--method", "centre", path, "x", *words)
        assert result.code == 2, words
        assert "give another name to write to" in result.err
    result = ask("predict", "--method", "centre", one, "x", "y", "--mask", tmp_path / "m.png")
    assert (result.code, "m-1.png is the image itself" in result.err) == (2, True)
    assert path.read_bytes() == before


def test_a_second_picture_and_an_empty_text_are_no_texts(tmp_path: Path, ask: Ask):
    path, other = picture(tmp_path / "a.png", 1), picture(tmp_path / "b.JPG", 1)
    result = ask("predict", "--method", "centre", path, other, "x")
    assert (result.code, "is a picture, not a text" in result.err) == (2, True)
    for text in ("", "  "):
        result = ask("predict", "--method", "centre", path, text)
        assert (result.code, "a TEXT is empty" in result.err) == (2, True)
    assert ask("predict", "--method", "centre", path, "the b.png on the left").code == 0


def test_damaged_exif_costs_no_picture(tmp_path: Path):
    memory = io.BytesIO()
    Image.fromarray(PIXELS).save(memory, format="JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    (tmp_path / "a.jpg").write_bytes(memory.getvalue())
    assert read_upright(tmp_path / "a.jpg").pixels.shape == (12, 20, 3)
