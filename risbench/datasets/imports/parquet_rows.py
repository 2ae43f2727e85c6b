"""Convert rows of parquet copies into the lists of REFER's files."""

from __future__ import annotations

import json
import re
from collections import Counter
from io import BytesIO
from typing import Any

from ...errors import DataError
from .placing import place_bytes
from .report import Imported
from .written import ref_of

_FILE = re.compile(r"COCO_train2014_(\d{12})(?:_\d+)?\.jpg")
_WORDS = ("train", "val", "testA", "testB")


class ConvertedRows:
    """REFER's lists, filled row by row.

    Attributes:
        refs: the refs, in the order of the rows.
        images, anns: entries of instances.json by their ids.
        categories: the numbers of the classes in the rows.
    """

    def __init__(self) -> None:
        self.refs: list[dict[str, Any]] = []
        self.images: dict[Any, dict[str, Any]] = {}
        self.anns: dict[Any, dict[str, Any]] = {}
        self.categories: set[int] = set()

    def add_refer(self, named: str, word: str, row: dict[str, Any]) -> None:
        """Add a row of jxu124's form."""
        image, ann = (_json(row[key], named, key) for key in ("raw_image_info", "raw_anns"))
        if image.get("id") != row["image_id"] or ann.get("id") != row["ann_id"]:
            raise DataError(f"{named}: its ids are not those of its own image and annotation; get the file again")
        for known, entry, what in ((self.images, image, "image"), (self.anns, ann, "annotation")):
            if known.setdefault(entry["id"], entry) != entry:
                raise DataError(f"{named}: {what} {entry['id']!r:.40} differs from an earlier row")
        if isinstance(category := row.get("category_id"), int):
            self.categories.add(category)
        sentences = row["sentences"]
        if not isinstance(sentences, list) or not all(isinstance(one, dict) and "sent_id" in one for one in sentences):
            raise DataError(f"{named}: 'sentences' is not a list of sentences with ids; get the file again")
        # A row has REFER's name of its split; the hub's files call testA test.
        word = row["split"] if row["split"] in _WORDS else word
        ref = {key: row.get(key) for key in ("ref_id", "ann_id", "image_id", "category_id")}
        self.refs.append(
            {**ref, "split": word, "sent_ids": [one["sent_id"] for one in sentences], "sentences": sentences}
        )

    def add_lmms(self, named: str, ident: str, word: str, row: dict[str, Any], report: Imported) -> None:
        """Add a row of lmms-lab's form, and write its image."""
        match = _FILE.fullmatch(row["file_name"] or "")
        pixels = (row["image"] or {}).get("bytes")
        if not match or not pixels:
            raise DataError(f"{named}: has no image with a name like COCO_train2014_….jpg; get the file again")
        number, name = int(match[1]), f"COCO_train2014_{match[1]}.jpg"
        if number not in self.images:
            height, width = _size_of(pixels, named)
            self.images[number] = {"id": number, "file_name": name, "height": height, "width": width}
            counts = report.images.setdefault("train2014", Counter())
            try:
                counts[place_bytes(pixels, report.data_root / "train2014" / name)] += 1
            except DataError:
                # A parquet copy may have encoded the image again. An existing file is kept; if its size is wrong, the
                # reader will refuse it by name.
                counts["kept another"] += 1
        polygon = row["segmentation"] or []
        self.anns[ident] = {
            "id": ident,
            "image_id": number,
            "bbox": row["bbox"],
            "segmentation": [polygon] if polygon else [],
        }
        texts = [(f"{ident}-{at}", text) for at, text in enumerate(row["answer"] or [])]
        self.refs.append(ref_of(ident, ident, number, word, texts))


def _json(text: Any, named: str, key: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{named}: {key!r} is not the JSON text of a dict; get the file again")
    return found


def _size_of(pixels: bytes, named: str) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(BytesIO(pixels)) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{named}: its image cannot be read ({' '.join(str(error).split())[:80]})") from None
