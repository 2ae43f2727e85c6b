"""Hugging Face's parquet copies of RefCOCO, converted into REFER's files. Needs pyarrow.

Two forms are in use. What the cards of the data sets and code that reads them say was looked up; the files themselves
were not to be had where this was written.

``jxu124/refcoco``, ``refcocoplus``, ``refcocog``: a row is a ref with REFER's own columns ``ref_id, ann_id, image_id,
category_id, split, sentences [{sent_id, sent, raw, tokens}]``, and the image's and the annotation's entries of
instances.json as JSON texts, ``raw_image_info`` and ``raw_anns``. Confirmed: the columns and their types; rows a
split, which are the refs of unc (``test`` is testA) and of umd; that ``raw_anns`` holds COCO's polygons and box. So
ids and masks are REFER's. Not confirmed: that rows stand in the pickle's order. No images, no names of classes, and of
annotations only those that a ref points at.

``lmms-lab/RefCOCO``, ``RefCOCOplus``, ``RefCOCOg``: a row is a ref with ``question_id, image, question, answer [text],
segmentation [float32], bbox [x, y, w, h], iscrowd, file_name``. Confirmed: the columns and their types, that
``answer`` holds the expressions and ``bbox`` x y w h; rows a split. Not confirmed: what becomes of an object of several
polygons in the one flat list (it is read as one polygon); whether ``question_id`` is COCO's annotation id (it is not
used). There are no ids of refs or sentences: they are made of the split and the row. By their counts alone, the 8,811
rows of RefCOCO's val are unc's 3,811 and Google's 5,000 without a mark, the 7,573 of RefCOCOg's val umd's 2,573 and
Google's 5,000, and the 5,000 of RefCOCO's test Google's: these three are no split of the literature and are left out.
The other files are unc's and umd's, again by their counts.

``moondream/refcoco-m`` (a row is an image with its ``samples``) is recognised and not converted: whether its ids are
REFER's was not confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import DataError
from ...io.hashes import sha256_of
from ...io.wrong_content import fault_of
from .. import converted
from .parquet_rows import ConvertedRows
from .placing import place_bytes, take_back
from .recognise import data_set_of
from .report import Imported, RefusedFile, TakenFile
from .scan import FoundFile
from .written import instances_bytes, refs_bytes

_REFER = {"ref_id", "ann_id", "image_id", "category_id", "split", "sentences", "raw_anns", "raw_image_info"}
_LMMS = {"image", "answer", "segmentation", "bbox", "file_name"}
_WORDS = {"train": "train", "val": "val", "validation": "val", "test": "test", "testA": "testA", "testB": "testB"}
_ORDER = ("train", "val", "testA", "testB", "test")
_MIXED = {("refcoco", "val"), ("refcoco", "test"), ("refcocog", "val")}
_SEGMENTED_ANEW = (
    "RefCOCO-M, or another data set of its form: RefCOCO's val with new masks. They are a truth for refcoco_val: write "
    'them as JSON, [{"ref_id": ID, "segmentation": RLE}, ...] with REFER\'s ref_ids, and give `risbench score '
    "PREDICTIONS --split refcoco_val --truth FILE.json --truth-only` (run and sweep take --truth, too)"
)
_HINT = "reading parquet needs pyarrow: pip install 'risbench[parquet]'"


class _Part(NamedTuple):
    """A parquet file: of which data set, split and form."""

    file: FoundFile
    data_set: str
    word: str
    form: str


def import_parquet(files: list[FoundFile], report: Imported) -> None:
    """Converts parquet files; what cannot be is refused in the report, all of them where pyarrow is missing.

    Raises:
        OSError: the data root cannot be written.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        report.refused += [RefusedFile(file.label, _HINT) for file in files]
        return
    sets: dict[str, list[_Part]] = {}
    for file in files:
        try:
            part = _part_of(file)
            sets.setdefault(part.data_set, []).append(part)
        except DataError as error:
            report.refused.append(RefusedFile(file.label, str(error)))
    for data_set, parts in sorted(sets.items()):
        parts.sort(key=lambda part: (_ORDER.index(part.word), part.file.parts))
        if len({part.form for part in parts}) > 1:
            reason = "a copy of jxu124's form and one of lmms-lab's; give --from one of them to choose"
            report.refused += [RefusedFile(part.file.label, reason) for part in parts]
            continue
        try:
            _convert(data_set, parts, report)
        except DataError as error:
            report.refused.append(RefusedFile(f"{data_set} of {parts[0].file.path.parent}", str(error)))


def _part_of(file: FoundFile) -> _Part:
    if file.member:
        raise DataError("a parquet file in an archive; unpack it first")
    columns = set(_open(file.path).schema_arrow.names)
    if {"image", "samples"} <= columns:
        raise DataError(_SEGMENTED_ANEW)
    form = "jxu124" if columns >= _REFER else "lmms-lab" if columns >= _LMMS else None
    if form is None:
        raise DataError(
            f"its columns are those of neither jxu124's nor lmms-lab's RefCOCO: {', '.join(sorted(columns))}"
        )
    # The hub's cache calls the folder datasets--lmms-lab--RefCOCO, and puts two more below it.
    folders = [folder.rpartition("--")[2] for folder in file.path.absolute().parts[:-1]]
    data_set = next((name for name in map(data_set_of, reversed(folders)) if name), None)
    if data_set is None or data_set == "refclef":
        raise DataError("which data set it is shows nowhere; put it in a folder called refcoco, refcoco+ or refcocog")
    word = next((_WORDS[word] for word in (file.parts[-1].partition("-")[0], folders[-1]) if word in _WORDS), None)
    if word is None:
        raise DataError("which split it is shows nowhere; call it train-….parquet, val-…, testA-…")
    if form == "lmms-lab" and (data_set, word) in _MIXED:
        raise DataError(
            f"{word} of lmms-lab's {data_set} holds refs of Google's division and is no split of the literature"
        )
    return _Part(file, data_set, "testA" if word == "test" and data_set != "refcocog" else word, form)


def _shard_of(part: _Part) -> str:
    """The number in a file's name: two shards of a split have rows of one number."""
    numbers = re.findall(r"\d+", part.file.path.stem)
    return numbers[0] if numbers else part.file.path.stem


def _open(path: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        if (fault := fault_of(path)) is not None:
            raise DataError(fault) from None
        raise DataError(f"not a parquet file that can be read ({' '.join(str(error).split())[:80]})") from None


def _rows(part: _Part, columns: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row, with what to call it in an error text."""
    from pyarrow import ArrowException

    number = 0
    try:
        for batch in _open(part.file.path).iter_batches(batch_size=64, columns=sorted(columns)):
            for row in batch.to_pylist():
                yield f"{part.file.path}, row {number}", row
                number += 1
    except (ArrowException, OSError) as error:
        raise DataError(f"{part.file.path}: broken ({' '.join(str(error).split())[:80]}); get it again") from None


def _convert(data_set: str, parts: list[_Part], report: Imported) -> None:
    form = parts[0].form
    made = ConvertedRows()
    for part in parts:
        columns = _REFER if form == "jxu124" else _LMMS
        for number, (named, row) in enumerate(_rows(part, columns)):
            try:
                if form == "jxu124":
                    made.add_refer(named, part.word, row)
                else:
                    made.add_lmms(named, f"{part.word}-{_shard_of(part)}-{number}", part.word, row, report)
            except (TypeError, ValueError, AttributeError, KeyError):
                raise DataError(
                    f"{named}: a column holds something else than this form has; get the file again"
                ) from None
    folder = report.data_root / "refer" / data_set
    refs_file = "refs(umd).p" if data_set == "refcocog" else "refs(unc).p"
    about = f"made by risbench data import of parquet files of {form}'s form"
    categories = [{"id": number, "name": str(number)} for number in sorted(made.categories)]
    files = [(part.file.path.name, sha256_of(part.file.path)) for part in parts]
    exact, notes = form == "jxu124", _NOTES[form]
    try:
        contents = {
            refs_file: refs_bytes(made.refs),
            "instances.json": instances_bytes([*made.images.values()], [*made.anns.values()], categories, about),
        }
    except (TypeError, ValueError) as error:
        raise DataError(f"holds what no annotation is ({' '.join(str(error).split())[:80]}); get it again") from None
    contents[converted.NAME] = converted.mark_of(
        f"parquet, {form}'s form", exact=exact, notes=notes, files=files, made=dict(contents)
    )
    taken: list[TakenFile] = []
    try:
        for name, content in contents.items():
            how = place_bytes(content, folder / name)
            taken.append(TakenFile(f"refer/{data_set}/{name}", ", ".join(part.file.label for part in parts), how))
    except DataError:
        # All of them, or none: half a conversion would be read with half of another copy.
        for one in taken:
            if one.how != "there":
                take_back(report.data_root / one.place)
        raise
    report.annotations += taken
    report.notes += [f"{data_set}: {note}" for note in notes]


_NOTES = {
    "jxu124": [
        "converted from parquet; ids and masks are REFER's; classes are named by their numbers, "
        "and objects that no expression refers to are missing"
    ],
    "lmms-lab": [
        "converted from parquet without ids of refs and sentences: they were made of file and row, so predictions "
        "named by REFER's sent_id do not fit",
        "masks are one polygon an object, where REFER has several for some: the split is marked partial, and its "
        "figures are not comparable with published ones",
    ],
}
