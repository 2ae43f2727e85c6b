"""Archives of any kind are looked into, odd names are understood, and what is no data is called by what it is."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import copies
from helpers.annotations import refer_content, write_refer
from helpers.commands import Ask

from risbench import DataError, load_split
from risbench.datasets.images import read_image
from risbench.datasets.imports import archive
from risbench.datasets.imports.archive import Archive
from risbench.datasets.imports.copies import import_copy

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>"


def contents() -> dict[str, bytes]:
    """REFER's two files of a small data set, by the names they have in its archive."""
    instances, refs = refer_content()
    return {
        "refcoco/instances.json": json.dumps(instances).encode(),
        "refcoco/refs(unc).p": pickle.dumps(refs, protocol=2),
    }


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return stream.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as made:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def backslashed() -> bytes:
    return zipped({"data\\" + name.replace("/", "\\"): content for name, content in contents().items()})


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("refcoco.zip", backslashed),
        ("refcoco.tar", lambda: tarred(contents())),
        ("refcoco.tar.gz", lambda: tarred(contents(), "w:gz")),
        ("refcoco.tgz", lambda: tarred(contents(), "w:gz")),
        ("refcoco.tar.bz2", lambda: tarred(contents(), "w:bz2")),
        ("REFER.ZIP", lambda: zipped({"refer/refcoco.zip": zipped(contents())})),
        ("refer.tar.gz", lambda: tarred({"refcoco.zip": zipped(contents())}, "w:gz")),
        ("refer.zip", lambda: zipped({"refcoco.tar.gz": tarred(contents(), "w:gz")})),
    ],
)
def test_every_kind_of_archive_is_looked_into(tmp_path: Path, name: str, make: Callable[[], bytes]):
    (tmp_path / name).write_bytes(make())
    report = import_copy(tmp_path / name, tmp_path / "data")
    assert {taken.place for taken in report.annotations} == {f"refer/{file}" for file in contents()}
    assert len(load_split("refcoco_val", tmp_path / "data")) == 6
    assert all(name in taken.source for taken in report.annotations)


@pytest.mark.parametrize(
    "name",
    [
        "refs_unc.p",
        "refs%28unc%29.p",
        "refs (unc).p",
        "refs(unc)(1).p",
        "refs(unc) (2).p",
        "refs-unc.p",
        "Refs(UNC).pkl",
    ],
)
def test_refs_are_read_under_the_names_that_downloads_give_them(tmp_path: Path, name: str):
    root = write_refer(tmp_path / "data")
    folder = root / "refer" / "refcoco"
    (folder / "refs(unc).p").rename(folder / name)
    assert len(load_split("refcoco_val", root)) == 6
    (folder / "instances.json").rename(folder / "instances (1).json")
    report = import_copy(folder, tmp_path / "other")
    assert {taken.place for taken in report.annotations} == {f"refer/{file}" for file in contents()}


def test_two_files_that_may_be_meant_are_not_guessed_between(tmp_path: Path):
    folder = write_refer(tmp_path) / "refer" / "refcoco"
    content = (folder / "refs(unc).p").read_bytes()
    (folder / "refs(unc).p").unlink()
    for name in ("refs_unc.p", "refs(unc)(1).p"):
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: no such file"):
        load_split("refcoco_val", tmp_path)


def _link(kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo("refcoco/instances.json")
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_member_that_is_no_file_is_refused(tmp_path: Path, kind: bytes):
    with tarfile.open(tmp_path / "refcoco.tar", "w") as made:
        made.addfile(_link(kind))
    opened = Archive(tmp_path / "refcoco.tar")
    opened.close()
    assert [reason for _, reason in opened.refused] == [
        "a link or device, not a file; unpack the archive yourself, and give the folder to --from"
    ]


@pytest.mark.parametrize("name", ["../refs(unc).p", "/refcoco/refs(unc).p", "a\\..\\..\\refs(unc).p", "\\x", "C:\\x"])
@pytest.mark.parametrize("make", [tarred, zipped])
def test_a_name_that_leads_out_is_refused_in_every_kind(tmp_path: Path, name: str, make: Callable[..., bytes]):
    path = tmp_path / ("a.tar" if make is tarred else "a.zip")
    path.write_bytes(make({name: b"x"}))
    opened = Archive(path)
    opened.close()
    assert [reason for _, reason in opened.refused] == [
        "its name leads out of the archive's folder; unpack the archive yourself, and give the folder to --from"
    ]


def test_a_packed_tar_ends_where_it_is_larger_than_it_can_honestly_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "_SMALL", 100_000)
    monkeypatch.setattr(archive, "_MOST_SHRUNK", 2)
    (tmp_path / "a.tgz").write_bytes(tarred({f"refcoco/{n}.json": bytes(200_000) for n in range(9)}, "w:gz"))
    with pytest.raises(DataError, match="a trap, not data"):
        Archive(tmp_path / "a.tgz")


def test_archives_within_archives_end(tmp_path: Path):
    inner = zipped(contents())
    for _ in range(3):
        inner = zipped({"refcoco.zip": inner})
    (tmp_path / "a.zip").write_bytes(inner)
    with pytest.raises(DataError, match="an archive in an archive in an archive; unpack it first"):
        import_copy(tmp_path / "a.zip", tmp_path / "data")


WRONG = [
    (LFS, "is a Git LFS pointer, .*git lfs pull"),
    (PAGE, "is a web page saved under this name"),
    (b"", "is empty: its download did not finish"),
    (gzip.compress(b"x" * 600), "is packed with gzip: unpack it"),
    (zipped({"a": b"x"}), "is a zip archive"),
]


@pytest.mark.parametrize(("content", "fault"), WRONG)
@pytest.mark.parametrize("name", ["refs(unc).p", "instances.json"])
def test_what_is_no_annotation_is_called_by_what_it_is(tmp_path: Path, content: bytes, fault: str, name: str):
    root = write_refer(tmp_path)
    (root / "refer" / "refcoco" / name).write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        load_split("refcoco_val", root)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


NOT_JSON = [
    *WRONG,
    (b"PAR1" + bytes(20) + b"PAR1", "is a parquet table, not JSON"),
    (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a picture, not JSON"),
    (pickle.dumps([1]), "is a pickle, not JSON"),
    *(
        ("[{}]".encode(code), "is text in UTF-16 or UTF-32: save it as UTF-8")
        for code in ("utf-16", "utf-16-le", "utf-32")
    ),
]


@pytest.mark.parametrize(("content", "fault"), NOT_JSON)
def test_what_is_no_json_is_called_by_what_it_is(ask: Ask, tmp_path: Path, content: bytes, fault: str):
    """Of annotations, of another truth and of data of one's own, whatever the file's name."""
    root = write_refer(tmp_path / "data")
    (tmp_path / "m.parquet").write_bytes(content)
    with pytest.raises(DataError, match=rf"m\.parquet: {fault}.*; a truth file is a list of"):
        load_split("refcoco_val", root).with_truth(tmp_path / "m.parquet")
    result = ask("data", "import", tmp_path / "m.parquet", "--as", "mine", "--data-root", root)
    assert (result.code, bool(re.search(fault, result.err))) == (1, True), result.err
    (root / "refer" / "refcoco" / "instances.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"instances\.json: {fault}"):
        load_split("refcoco_val", root)


@pytest.mark.parametrize(("content", "fault"), WRONG[:4])
def test_what_is_no_parquet_is_called_by_what_it_is(tmp_path: Path, content: bytes, fault: str):
    (tmp_path / "refcoco").mkdir()
    (tmp_path / "refcoco" / "val-0.parquet").write_bytes(content)
    report = import_copy(tmp_path / "refcoco", tmp_path / "data")
    assert re.search(fault, report.refused[0].reason), report.refused


@pytest.mark.parametrize(("content", "fault"), WRONG[:4])
def test_what_is_no_image_is_called_by_what_it_is(tmp_path: Path, content: bytes, fault: str):
    (tmp_path / "COCO_train2014_000000000001.jpg").write_bytes(content)
    with pytest.raises(DataError, match=fault):
        read_image(tmp_path / "COCO_train2014_000000000001.jpg")


@pytest.mark.parametrize(("content", "fault"), WRONG[:3])
@pytest.mark.parametrize("name", ["refcoco.zip", "refcoco.tar.gz"])
def test_what_is_no_archive_is_called_by_what_it_is(tmp_path: Path, content: bytes, fault: str, name: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fault):
        import_copy(tmp_path / name, tmp_path / "data")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_copied_as_text_is_told(tmp_path: Path, protocol: int):
    refs = [{"a": "line\n", "b": [1] * 20, "c": {"d": 10}}]
    path = write_refer(tmp_path) / "refer" / "refcoco" / "refs(unc).p"
    path.write_bytes(pickle.dumps(refs, protocol=protocol).replace(b"\n", b"\r\n"))
    with pytest.raises(DataError, match=r"copied as text; copy it as binary|has no 'ref_id'"):
        load_split("refcoco_val", tmp_path)


def test_json_that_was_cut_off_is_told(tmp_path: Path):
    path = write_refer(tmp_path) / "refer" / "refcoco" / "instances.json"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="it ends in the middle, as a download that was cut off does"):
        load_split("refcoco_val", tmp_path)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("grefcoco/grefs(unc).json", "gRefCOCO"),
        ("grefcoco/instances.json", "gRefCOCO"),
        ("refcoco/grefs(unc).p", "gRefCOCO"),
        ("ref-zom/refs(final).p", "Ref-ZOM"),
        ("refzom/instances.json", "Ref-ZOM"),
        ("rrefcoco/refs(unc).p", "R-RefCOCO"),
        ("rrefcocoplus/instances.json", "R-RefCOCO+"),
    ],
)
def test_a_data_set_of_another_protocol_is_recognised_and_said_so(tmp_path: Path, ask: Ask, file: str, name: str):
    (tmp_path / "mine" / file).parent.mkdir(parents=True)
    (tmp_path / "mine" / file).write_bytes(b"[]")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert f"{name} is recognised and not supported yet" in result.err
    assert "--as NAME" in result.err
    # Beside what can be read it is no hindrance.
    copies.coco_images(tmp_path / "mine" / "train2014")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert (result.code, f"{name} is recognised" in result.err) == (0, True)
