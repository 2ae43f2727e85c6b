"""The made-up data sets of `helpers.annotations` in all trees and archives that users have."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

from helpers.annotations import (
    SIZE,
    refer_content,
    write_image,
    write_refer,
    write_referit_as_pickles,
    write_referit_as_refer,
)

_REFERIT = {112: (100, 200), 1019: (80, 100)}


def coco_images(folder: Path, numbers: tuple[int, ...] = (1, 2, 3, 4)) -> Path:
    for number in numbers:
        write_image(folder / f"COCO_train2014_{number:012d}.jpg", SIZE, 20 * number % 256)
    return folder


def referit_images(folder: Path, nested: bool = False) -> Path:
    for number, size in _REFERIT.items():
        below = f"{number // 1000:02d}/images/{number}.jpg" if nested else f"{number}.jpg"
        write_image(folder / below, size, number % 200)
    return folder


def _refer(place: Path, folder: str = "refcoco", refs_file: str = "refs(unc).p", **more: Any) -> None:
    """REFER's folder of a data set, at ``place/folder``."""
    beside = place / "beside"
    (place / folder).parent.mkdir(parents=True, exist_ok=True)
    write_refer(beside, folder=folder, refs_file=refs_file, **more)
    shutil.copytree(beside / "refer" / folder, place / folder, dirs_exist_ok=True)
    shutil.rmtree(beside)


def _referit(place: Path) -> None:
    write_referit_as_refer(place / "beside")
    shutil.copytree(place / "beside" / "refer" / "refclef", place / "refclef")
    shutil.rmtree(place / "beside")


def refer_tool(root: Path) -> Path:
    """``refer`` as it is checked out and filled, with both collections of images."""
    _refer(root / "data")
    _referit(root / "data")
    coco_images(root / "data/images/mscoco/images/train2014")
    referit_images(root / "data/images/saiapr_tc-12")
    (root / "refer.py").write_text("# not data\n")
    (root / "data/README.md").write_text("not data\n")
    return root


def lavt(root: Path) -> Path:
    _refer(root / "refer/data", "refcocog", "refs(umd).p", refs=_split_names(("val", "test", "test")))
    coco_images(root / "refer/data/images/mscoco/images/train2014")
    return root


def tris(root: Path) -> Path:
    """TRIS's data folder: REFER's, and ReferIt's pickles with their images."""
    _refer(root / "refer", "refcoco+")
    coco_images(root / "train2014")
    write_referit_as_pickles(root)
    referit_images(root / "referit/images")
    return root


def zips(root: Path) -> Path:
    """What a newcomer downloads: REFER's archives, and COCO's folder unpacked."""
    _refer(root / "fresh")
    zip_of(root / "refcoco.zip", root / "fresh")
    shutil.rmtree(root / "fresh")
    coco_images(root / "train2014")
    return root


def all_zips(root: Path) -> Path:
    zips(root)
    zip_of(root / "train2014.zip", root / "train2014", "train2014/")
    shutil.rmtree(root / "train2014")
    _referit(root / "fresh")
    zip_of(root / "refclef.zip", root / "fresh")
    referit_images(root / "fresh2/saiapr_tc-12", nested=True)
    zip_of(root / "saiapr_tc-12.zip", root / "fresh2")
    shutil.rmtree(root / "fresh")
    shutil.rmtree(root / "fresh2")
    return root


def multigrounding(root: Path) -> Path:
    """The pickles alone, as the archive of annotations has them, and ImageCLEF's own archive of images."""
    write_referit_as_pickles(root / "fresh", texts_as_ids=False)
    zip_of(root / "referit_annotations.zip", root / "fresh/referit/annotations", "annotations/")
    referit_images(root / "saiapr_tc-12", nested=True)
    shutil.rmtree(root / "fresh")
    return root


def _split_names(names: tuple[str, ...]) -> list[dict[str, Any]]:
    refs = refer_content()[1]
    for number, ref in enumerate(refs):
        ref["split"] = names[number % len(names)]
    return refs


def zip_of(path: Path, folder: Path, below: str = "") -> Path:
    """An archive of a folder's content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, below + str(file.relative_to(folder)))
    return path


# Parquet, in the hub's two forms.

_SENTENCE = ("raw", "sent", "sent_id", "tokens")


def jxu124_rows() -> dict[str, list[dict[str, Any]]]:
    """Rows by the hub's split; of refs that have a target."""
    instances, refs = refer_content()
    images = {image["id"]: image for image in instances["images"]}
    anns = {ann["id"]: ann for ann in instances["annotations"]}
    rows: dict[str, list[dict[str, Any]]] = {}
    for ref in refs:
        if ref["ann_id"] is None or ref["split"] == "testAB":
            continue
        image, ann = images[ref["image_id"]], anns[ref["ann_id"]]
        x, y, width, height = ann["bbox"]
        rows.setdefault({"val": "validation", "testA": "test"}.get(ref["split"], ref["split"]), []).append(
            {
                **{key: ref[key] for key in ("sent_ids", "file_name", "ann_id", "ref_id", "image_id", "split")},
                "sentences": [{key: sentence[key] for key in _SENTENCE} for sentence in ref["sentences"]],
                "category_id": ann["category_id"],
                "raw_anns": json.dumps(ann),
                "raw_image_info": json.dumps(image),
                "raw_sentences": json.dumps(ref["sentences"]),
                "image_path": f"coco/train2014/{image['file_name']}",
                "bbox": [x, y, x + width, y + height],
                "captions": [sentence["sent"] for sentence in ref["sentences"]],
            }
        )
    return rows


def jxu124(root: Path, folder: str = "refcoco") -> Path:
    """A clone of the hub's repository, and COCO's folder beside it."""
    for word, rows in jxu124_rows().items():
        write_parquet(root / folder / "data" / f"{word}-00000-of-00001-0123456789abcdef.parquet", rows)
    coco_images(root / "train2014")
    return root


def lmms_rows(pixels: bytes, numbers: tuple[int, ...] = (1, 1, 2)) -> list[dict[str, Any]]:
    return [
        {
            "question_id": str(900 + row),
            "image": {"bytes": pixels, "path": None},
            "question": "which one?",
            "answer": [f"thing {row}", f"the thing {row}"],
            "segmentation": [10.0, 5.0, 30.5, 5.0, 30.5, 25.0, 10.0, 25.0],
            "bbox": [10.0, 5.0, 20.5, 20.0],
            "iscrowd": 0,
            "file_name": f"COCO_train2014_{number:012d}_{row}.jpg",
        }
        for row, number in enumerate(numbers)
    ]


def lmms(root: Path, folder: str = "datasets--lmms-lab--RefCOCO/snapshots/0123abc/data", word: str = "testA") -> Path:
    """The hub's cache of a repository, which holds the pictures, too."""
    write_image(root / "one.jpg", SIZE)
    rows = lmms_rows((root / "one.jpg").read_bytes())
    (root / "one.jpg").unlink()
    write_parquet(root / folder / f"{word}-00000-of-00001.parquet", rows)
    return root


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def evil_refs(mark: Path) -> bytes:
    """A pickle that makes a file when anything loads it that trusts it."""

    class _Evil:
        def __reduce__(self) -> Any:
            return (open, (str(mark), "w"))

    return pickle.dumps([{"ref_id": 1}, _Evil()], protocol=2)
