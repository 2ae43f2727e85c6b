"""Asks every address of the table of sources for its first bytes, and says what answered.

``python tests/bench/sources.py`` needs the open network, takes under a minute and downloads four bytes an address. It
is what could not be done where the table was written; what it prints belongs into an issue when something is dead.
"""

from __future__ import annotations

from risbench.datasets.get.sources import read_sources


def ask(url: str) -> str:
    """What an address answers, in a line."""
    import requests

    headers = {"Range": "bytes=0-3", "Accept-Encoding": "identity", "User-Agent": "risbench (a test of its sources)"}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=(20, 60)) as answer:
            first = answer.raw.read(4)
            size = answer.headers.get("Content-Range", "").rpartition("/")[2] or answer.headers.get("Content-Length")
            kind = {b"PK\x03\x04": "a zip archive", b"\xff\xd8\xff\xe0": "a JPEG"}.get(first, f"begins {first!r}")
            parts = "parts can be asked for" if answer.status_code == 206 else "whole only"
            named = "names its version" if {"ETag", "Last-Modified"} & set(answer.headers) else "names no version"
            return f"{answer.status_code}, {kind}, {size or 'unknown'} bytes, {parts}, {named}"
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})"


def main() -> None:
    """One line an address."""
    table = read_sources()
    for archive in table.archives.values():
        known = f", {archive.size} bytes are right" if archive.size else ""
        print(f"{archive.file}{known}")
        for source in archive.sources:
            print(f"  {source.url}\n    {ask(source.url)}", flush=True)
    for name, singles in table.images.items():
        print(f"single images of {name}")
        for source in singles.sources:
            url = source.url.replace("{file}", "COCO_train2014_000000057870.jpg")
            print(f"  {url}\n    {ask(url)}", flush=True)


if __name__ == "__main__":
    main()
