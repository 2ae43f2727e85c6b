"""Recognise files that are not weights: an error page, a Git LFS pointer, an incomplete download."""

from __future__ import annotations

import zipfile
from pathlib import Path

from risbench.plain import plain

_MAGIC = (
    (b"\x89HDF\r\n", "an HDF5 file (Keras, TensorFlow)"),
    (b"GGUF", "a GGUF file (llama.cpp)"),
    (b"\x1f\x8b", "a gzip archive: unpack it, and give the weights file in it"),
    (b"BZh", "a bzip2 archive: unpack it, and give the weights file in it"),
    (b"\xfd7zXZ", "an xz archive: unpack it, and give the weights file in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it, and give the weights file in it"),
    (b"Rar!", "a RAR archive: unpack it, and give the weights file in it"),
    (b"\x93NUMPY", "a numpy array (.npy)"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_HEAD = 2048


def strange(path: Path) -> str | None:
    """What a file is instead of weights, and what to do; None if it may be weights.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "is empty: the download failed; download it again"
    if head.startswith(b"version https://git-lfs"):
        size = next((line[5:] for line in head.splitlines() if line.startswith(b"size ")), b"").decode(
            "ascii", "replace"
        )
        whole = f" of {plain(size, 20)} bytes" if size else ""
        return f"is a Git LFS pointer, not the file{whole} itself: run `git lfs pull` in its folder, or download it"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return "is a page of HTML or XML (an error page, or a download that asks for consent): download the file itself"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return f"is {words}; it is not a file of torch or safetensors"
    if head[257:262] == b"ustar" and b"pickle" not in head[:100] and b"storages" not in head[:100]:
        return "is a tar archive: unpack it, and give the weights file (or the folder) in it"
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if start.startswith((b"{", b"[")) and head[8:9] != b"{":
        return "is a JSON text without weights: give the weights file in the same folder"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return f"is a text without weights (it begins with {plain(head.decode('ascii'), 60)!r}); download it again"
    return None


def _zip(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return "is incomplete: it begins as a zip archive of torch but has no end; download it again"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # the reader of archives says what is wrong
    if any(Path(name).name in ("data.pkl", "constants.pkl") for name in names):
        return None
    shown = plain(", ".join(names[:3]), 120)
    if names and all(name.endswith(".npy") for name in names):
        return f"is an archive of numpy arrays ({shown} …); only files of torch and safetensors are supported"
    return f"is a zip archive with {shown or 'nothing'} …: unpack it, and give the weights file (or the folder) in it"
