"""Recognise files with the wrong content: Git LFS pointers, web pages, archives, incomplete or damaged downloads."""

from __future__ import annotations

import codecs
from pathlib import Path

_LFS = b"version https://git-lfs.github.com/spec"
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error", b"<body")
_PACKED = {
    b"\x1f\x8b": "is packed with gzip: unpack it (`gunzip < FILE > NEW`)",
    b"BZh": "is packed with bzip2: unpack it (`bunzip2 < FILE > NEW`)",
    b"\xfd7zXZ\0": "is packed with xz: unpack it (`unxz < FILE > NEW`)",
    b"PK\x03\x04": "is a zip archive: `risbench data import --from FILE.zip` takes it",
    b"7z\xbc\xaf\x27\x1c": "is a 7-zip archive: unpack it",
    b"Rar!": "is a RAR archive: unpack it",
}
# Other formats that are given in the place of a JSON file, by their first bytes.
_NOT_JSON = {
    b"PAR1": "is a parquet table, not JSON: write what is needed of it as JSON",
    b"\x89PNG": "is a picture, not JSON",
    b"\xff\xd8\xff": "is a picture, not JSON",
    b"\x93NUMPY": "is an array of numpy, not JSON",
    b"\x89HDF": "is an HDF5 file, not JSON: write what is needed of it as JSON",
    b"MATLAB": "is a MATLAB file, not JSON: write what is needed of it as JSON",
    **dict.fromkeys((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), "is a pickle, not JSON"),
}
_WIDE = "is text in UTF-16 or UTF-32: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8 FILE > NEW`)"


def json_fault_in(first: bytes) -> str | None:
    """What is wrong with a file that should hold JSON in UTF-8, and what to do; None if nothing is recognised.

    Args:
        first: a hundred bytes or more, or all of a shorter file.
    """
    # JSON begins with two ASCII characters, so a zero byte among the first two shows UTF-16 or UTF-32.
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in first[:2]:
        return _WIDE
    return fault_in(first) or next((text for start, text in _NOT_JSON.items() if first.startswith(start)), None)


def fault_in(first: bytes) -> str | None:
    """What is wrong with a file, by its first bytes, and what to do; None if nothing is recognised.

    Args:
        first: a hundred bytes or more, or all of a shorter file.
    """
    if not first:
        return "is empty: its download did not finish; download it again"
    if first.startswith(_LFS):
        return "is a Git LFS pointer, not the file itself: run `git lfs pull` in the copy it is from, then try again"
    if first.lstrip(b"\xef\xbb\xbf \t\r\n")[:20].lower().startswith(_PAGES):
        return "is a web page saved under this name (an error or question): open its link in a browser, and download it"
    return next((text for start, text in _PACKED.items() if first.startswith(start)), None)


def fault_of(path: Path) -> str | None:
    """`fault_in` of a file; None also if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return fault_in(file.read(512))
    except OSError:
        return None


def is_text_mode(raw: bytes) -> bool:
    """Whether every line feed of binary content follows a carriage return: it was transferred as text."""
    count = raw.count(b"\n")
    return count > 0 and raw.count(b"\r\n") == count


TEXT_MODE = (
    "every line feed in it follows a carriage return: it was copied as text; copy it as binary, or download it again"
)
