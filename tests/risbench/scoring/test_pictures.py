"""A picture of a mask is read as what it shows, or refused with the way out; a guess would be a wrong number."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.brought import entries, files, iou_of, lines, pictures, split_with
from PIL import Image, PngImagePlugin

from risbench import DataError, MaskError, RisbenchError, Split, UsageError
from risbench.scoring.pictures import read_mask
from risbench.scoring.sweep import sweep

Save = Callable[[np.ndarray, Path], object]


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return split_with(tmp_path / "data")


def png(depth: int, colour: int, values: Sequence[int], palette: Sequence[int] = (), clear: Sequence[int] = ()) -> Save:
    """Saves a PNG of a depth that PIL does not write; ``values`` stand for background and object."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def save(mask: np.ndarray, path: Path) -> None:
        numbers = np.array(values)[mask].repeat({0: 1, 2: 3, 3: 1}[colour], axis=1)
        bits = (numbers[:, :, None] >> np.arange(depth)[::-1]) & 1
        packed = np.packbits(bits.reshape(len(mask), -1).astype(np.uint8), axis=1)
        rows = b"".join(b"\0" + row.tobytes() for row in packed)
        parts = [(b"IHDR", struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], depth, colour, 0, 0, 0))]
        parts += [(b"PLTE", bytes(palette))] if palette else []
        parts += [(b"tRNS", bytes(clear))] if clear else []
        parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))

    return save


def grey(mode: str, top: int = 255) -> Save:
    return lambda mask, path: Image.fromarray(mask * top).convert(mode).save(path)


def gamma(mask: np.ndarray, path: Path) -> None:
    about = PngImagePlugin.PngInfo()
    about.add(b"gAMA", struct.pack(">I", 45455))
    Image.fromarray(mask * 255).save(path, pnginfo=about)


def orientation(value: int) -> Save:
    def save(mask: np.ndarray, path: Path) -> None:
        exif = Image.Exif()
        exif[274] = value
        Image.fromarray(mask * 255).save(path, exif=exif)

    return save


def animation(mask: np.ndarray, path: Path) -> None:
    Image.fromarray(mask * 255).save(path, save_all=True, append_images=[Image.fromarray(255 - mask * 255)])


BLACK, WHITE, RED = [0, 0, 0], [255, 255, 255], [255, 0, 0]
READ: dict[str, Save] = {
    "1 bit": png(1, 0, (0, 1)),
    "2 bits, 0 and 1": png(2, 0, (0, 1)),
    "2 bits, 0 and 3": png(2, 0, (0, 3)),
    "4 bits, 0 and 1": png(4, 0, (0, 1)),
    "4 bits, 0 and 15": png(4, 0, (0, 15)),
    "16 bits, 0 and 1": png(16, 0, (0, 1)),
    "16 bits, 0 and 255": png(16, 0, (0, 255)),
    "16 bits, 0 and 65535": png(16, 0, (0, 65535)),
    "RGB": grey("RGB"),
    "RGB of 0 and 1": grey("RGB", 1),
    "RGBA": grey("RGBA"),
    "grey with alpha": grey("LA"),
    "gamma": gamma,
    "EXIF that turns nothing": orientation(1),
    "palette, black first": png(1, 3, (0, 1), BLACK + WHITE),
    "palette, white first": png(1, 3, (1, 0), WHITE + BLACK),
    "palette, white first, 8 bits": png(8, 3, (255, 0), WHITE + RED * 254 + BLACK),
    "palette of two dark and bright colours": png(1, 3, (0, 1), [68, 1, 84, 253, 231, 36]),
    "palette of classes": png(8, 3, (0, 15), BLACK + RED * 20),
    "palette of 2 bits": png(2, 3, (0, 1), BLACK + RED),
    "palette, all white, clear background": png(1, 3, (0, 1), WHITE + WHITE, (0, 255)),
    "quantised": lambda mask, path: Image.fromarray(mask * 255).convert("RGB").quantize(2).save(path),
}
REFUSED: dict[str, tuple[Save, str]] = {
    "RGB with colours": (
        lambda mask, path: Image.fromarray(np.dstack([mask * 255, mask * 0, mask])).save(path),
        "mode RGB with colours: save the mask in one channel",
    ),
    "a mask in the alpha channel": (
        lambda mask, path: Image.fromarray(np.dstack([np.full_like(mask, 255)] * 3 + [mask * 255])).save(path),
        "mode RGBA with an alpha below 255: save the mask in one channel",
    ),
    "RGB of 16 bits": (png(16, 2, (0, 1)), "mode RGB of 16 bits: save the mask in one channel"),
    "2 bits, 0 and 2": (png(2, 0, (0, 2)), "values 0, 170"),
    "16 bits, other values": (png(16, 0, (0, 300)), "values 0, 300"),
    "palette, nearly white first": (png(1, 3, (1, 0), [254, 254, 254, 1, 1, 1]), "its palette does not tell object"),
    "palette, red on white": (png(1, 3, (0, 1), WHITE + RED), "its palette does not tell object"),
    "an animation": (animation, "an animation of 2 pictures"),
    "EXIF that turns": (orientation(6), "its EXIF orientation rotates or mirrors it"),
    "a JPEG under another name": (
        lambda mask, path: Image.fromarray(mask * 255).save(path, format="JPEG"),
        "not a readable PNG: it is a JPEG",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_mask_is_read_as_its_picture_shows_it(split: Split, tmp_path: Path, name: str):
    assert iou_of(pictures(tmp_path / "png", split, READ[name]), split, tmp_path / "run") == 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_shows_nothing_definite_is_refused_with_the_way_out(split: Split, tmp_path: Path, name: str):
    save, reason = REFUSED[name]
    with pytest.raises(DataError, match=reason):
        iou_of(pictures(tmp_path / "png", split, save), split, tmp_path / "run")


@pytest.mark.parametrize("colour", [BLACK, WHITE])
@pytest.mark.parametrize("index", [0, 1])
def test_a_palette_picture_of_one_colour_is_empty_where_that_is_black(tmp_path: Path, colour: list[int], index: int):
    palette = colour + [255 - part for part in colour] if index == 0 else [255 - part for part in colour] + colour
    png(1, 3, (index, index), palette)(np.zeros((3, 4), np.uint8), tmp_path / "1.png")
    mask = read_mask(tmp_path / "1.png").mask
    assert mask is not None
    assert mask.all() == (colour == WHITE)
    assert mask.any() == (colour == WHITE)


def test_files_named_png_in_capitals_are_read(split: Split, tmp_path: Path):
    def save(mask: np.ndarray, path: Path) -> None:
        Image.fromarray(mask * 255).save(path, format="PNG")

    assert iou_of(files(tmp_path / "a", split, save, lambda s: str(s.sent_id), ".PNG"), split, tmp_path / "run") == 1


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".bmp", ".tif", ".webp"])
def test_pictures_of_other_kinds_are_refused_by_name(split: Split, tmp_path: Path, suffix: str):
    def save(mask: np.ndarray, path: Path) -> None:
        Image.fromarray(mask * 255).save(path)

    folder = files(tmp_path / "a", split, save, lambda s: str(s.sent_id), suffix)
    with pytest.raises(UsageError, match=rf"holds \{suffix} pictures.*save each mask as \.png"):
        iou_of(folder, split, tmp_path / "run")


ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bool": lambda mask: mask.astype(bool),
    "uint8 of 0 and 1": lambda mask: mask,
    "uint8 of 0 and 255": lambda mask: mask * 255,
    "int64": lambda mask: mask.astype(np.int64),
    "float of 0 and 1": lambda mask: mask.astype(np.float64),
    "column by column": lambda mask: np.asfortranarray(mask.astype(bool)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_two_values_is_a_mask(split: Split, tmp_path: Path, name: str):
    def save(mask: np.ndarray, path: Path) -> None:
        np.save(path, ARRAYS[name](mask))

    folder = files(tmp_path / "npy", split, save, lambda s: str(s.sent_id), ".npy")
    assert iou_of(folder, split, tmp_path / "run") == 1
    if "float" not in name:
        with pytest.raises(UsageError, match=r"--threshold cuts heats, but .* holds masks"):
            iou_of(folder, split, tmp_path / "cut", threshold=0.5)
        with pytest.raises(UsageError, match="holds a folder of masks: sweep needs heats"):
            sweep(folder, split)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda mask: mask * 200 + 20, "an array of uint8: values 20, 220: a mask holds .* in a .npy of floats"),
        (lambda mask: -mask.astype(np.int8), "an array of int8: values -1, 0"),
        (lambda mask: mask[None].astype(np.float32), r"\(1, 40, 60\); a heat is \(height, width\): save array\[0\]"),
        (lambda mask: mask[:, :, None].astype(bool), r"\(40, 60, 1\); a heat is .*: save array\[:, :, 0\]"),
    ],
)
def test_an_array_of_another_kind_is_refused_with_the_way_out(
    split: Split, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], reason: str
):
    def save(mask: np.ndarray, path: Path) -> None:
        np.save(path, change(mask))

    folder = files(tmp_path / "npy", split, save, lambda s: str(s.sent_id), ".npy")
    with pytest.raises((DataError, MaskError), match=reason):
        iou_of(folder, split, tmp_path / "run")


def test_axes_that_are_swapped_are_named(split: Split, tmp_path: Path):
    def turned(mask: np.ndarray, path: Path) -> None:
        Image.fromarray(mask.T * 255).save(path)

    reason = (
        r"its mask is 60x40, the image is 40x60 \(height x width\): the axes of the mask or of its RLE size are swapped"
    )
    with pytest.raises(MaskError, match=reason):
        iou_of(pictures(tmp_path / "png", split, turned), split, tmp_path / "run")
    found = entries(split)
    for entry in found:
        entry["segmentation"]["size"].reverse()
    with pytest.raises(RisbenchError, match=reason):
        iou_of(lines(tmp_path / "masks.jsonl", found), split, tmp_path / "run")
