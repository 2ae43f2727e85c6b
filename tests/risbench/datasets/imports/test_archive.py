"""Archives of strangers: what is hostile or broken is named, and the rest is taken."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from helpers import copies
from helpers.commands import Ask

from risbench.datasets.imports import archive
from risbench.datasets.imports.archive import Archive
from risbench.datasets.imports.copies import import_copy
from risbench.errors import DataError


def _link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    "name", ["../refcoco/refs(unc).p", "/refcoco/refs(unc).p", "a/../../refcoco/refs(unc).p", "C:/refcoco/refs(unc).p"]
)
def test_a_member_that_leads_out_is_refused_by_name_and_the_rest_is_taken(ask: Ask, tmp_path: Path, name: str):
    copies.zips(tmp_path / "mine")
    with zipfile.ZipFile(tmp_path / "mine/refcoco.zip", "a") as zipped:
        zipped.writestr(name, b"out")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 0
    assert f"{name!r}: its name leads out of the archive's folder; unpack the archive yourself, and give" in result.err
    assert "copied  refer/refcoco/refs(unc).p" in result.out
    assert not list(tmp_path.parent.glob("refcoco"))
    assert {file.name for file in tmp_path.iterdir()} == {"mine", "data", "the cache"}


def test_a_link_in_an_archive_is_never_followed(tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    with zipfile.ZipFile(tmp_path / "refcoco.zip", "w") as zipped:
        zipped.writestr(_link("refcoco/instances.json"), str(tmp_path / "secret"))
        zipped.writestr("refcoco/refs(unc).p", b"x")
    report = import_copy(tmp_path / "refcoco.zip", tmp_path / "data")
    assert any(refused.reason.startswith("a link or device, not a file; unpack") for refused in report.refused)
    assert not (tmp_path / "data/refer/refcoco/instances.json").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "refcoco.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("refcoco/instances.json", b" " * (8 << 20))
    [(name, reason)] = Archive(tmp_path / "refcoco.zip").refused
    assert name.endswith("refcoco.zip: 'refcoco/instances.json'")
    assert "a trap, not data" in reason


def test_members_that_together_are_a_bomb_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "_SMALL", 1000)
    with zipfile.ZipFile(tmp_path / "train2014.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(3):
            zipped.writestr(f"train2014/COCO_train2014_{number:012d}.jpg", b" " * 90_000)
    opened = Archive(tmp_path / "train2014.zip")
    opened._allowed = 200_000
    (_, first), (_, second), (_, third) = opened.members
    assert opened.open(first).read() == opened.open(second).read() == b" " * 90_000
    with pytest.raises(DataError, match="a trap, not data"):
        opened.open(third)
    opened.close()


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copies.zips(tmp_path / "mine")
    monkeypatch.setattr(archive, "_MOST_MEMBERS", 1)
    with pytest.raises(DataError, match="more than 1 members"):
        Archive(tmp_path / "mine/refcoco.zip")


def test_a_member_with_a_wrong_checksum_leaves_nothing_behind(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    path = tmp_path / "mine/refcoco.zip"
    with zipfile.ZipFile(path) as zipped:
        member = zipped.getinfo("refcoco/instances.json")
    content = bytearray(path.read_bytes())
    content[member.header_offset + 30 + len(member.filename) + 40] ^= 0xFF
    path.write_bytes(content)
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert "refcoco.zip:refcoco/instances.json: cannot be read, or is broken (" in result.err
    assert [file.name for file in (tmp_path / "data/refer/refcoco").iterdir()] == ["refs(unc).p"]
    assert "missing: data/refer/refcoco/instances.json: no such file" in result.out


def test_an_encrypted_member_is_named(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    path = tmp_path / "mine/refcoco.zip"
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    assert [reason for _, reason in Archive(path).refused] == [
        "encrypted; unpack the archive yourself, and give the folder to --from"
    ]


@pytest.mark.parametrize("cut", [10, 30, 60, 90, 99])
def test_a_truncated_archive_is_one_named_line(ask: Ask, tmp_path: Path, cut: int):
    copies.zips(tmp_path / "mine")
    path = tmp_path / "mine/refcoco.zip"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * cut // 100])
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 0  # the images are welcome
    assert result.err.startswith(f"not taken: {path}: not a complete zip archive")
    assert result.err.count("\n") == 1


def test_what_a_mac_adds_to_archives_is_passed_over(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    with zipfile.ZipFile(tmp_path / "mine/refcoco.zip", "a") as zipped:
        zipped.writestr("__MACOSX/refcoco/instances.json", b"x")
        zipped.writestr("refcoco/._instances.json", b"x")
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    assert not report.refused
    assert len(report.annotations) == 2
