from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.mirror import jpeg, zipped

from risbench.datasets.get.contents import wanted_of
from risbench.datasets.get.sources import DownloadSource, ImageMembers, SourceArchive, SourceRefused
from risbench.datasets.get.unpack import Unpacked, read_through, unpack
from risbench.errors import DataError

GOOD = {"set/instances.json": b"{}" * 50, "set/refs(unc).p": b"pickle"}
PLACES = {"instances.json": "refer/set/instances.json", "refs(unc).p": "refer/set/refs(unc).p"}


def archive_of(most: int = 1000, images: ImageMembers | None = None, **places: str) -> SourceArchive:
    members = places or ({} if images else PLACES)
    return SourceArchive(
        "set", "set.zip", "a set", (DownloadSource("http://x/"),), members, images, 10**6, most, 10 * most
    )


def nothing(done: int, total: int | None) -> None:
    pass


def write(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_bytes(zipped(files))
    return path


def take(path: Path, root: Path, archive: SourceArchive | None = None, replace: bool = False) -> Unpacked:
    root.mkdir(exist_ok=True)
    return unpack(path, wanted_of(path, archive or archive_of()), root, replace=replace, on_progress=nothing)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_only_what_is_needed_is_taken_out(tmp_path: Path):
    path = write(tmp_path / "a.zip", {**GOOD, "set/readme.txt": b"x", "__MACOSX/set/instances.json": b"junk"})
    assert take(path, tmp_path / "root") == Unpacked(2, 0, 0)
    assert files_of(tmp_path / "root") == {
        "refer/set/instances.json": b"{}" * 50,
        "refer/set/refs(unc).p": b"pickle",
    }


def test_what_fits_is_left_and_what_differs_is_not_overwritten(tmp_path: Path):
    path, root = write(tmp_path / "a.zip", GOOD), tmp_path / "root"
    take(path, root)
    mine = root / "refer/set/refs(unc).p"
    assert take(path, root) == Unpacked(0, 2, 0)
    mine.write_bytes(b"my own")
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: differs from the one in a\.zip; to use that one"):
        take(path, root)
    assert mine.read_bytes() == b"my own"


def test_new_files_can_be_read_by_whom_the_umask_lets(tmp_path: Path):
    take(write(tmp_path / "a.zip", GOOD), tmp_path / "root")
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert (tmp_path / "root/refer/set/instances.json").stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize(
    "name",
    ["../up.txt", "set/../../up.txt", "/etc/cron.d/x", "\\windows\\x", "..\\up.txt", "C:/x", "c:x", "set/..", "../"],
)
def test_a_name_that_leads_out_refuses_the_whole_archive(tmp_path: Path, name: str):
    path = write(tmp_path / "a.zip", {**GOOD, name: b"evil"})
    with pytest.raises(SourceRefused, match="leads out of its folder"):
        take(path, tmp_path / "root")
    assert files_of(tmp_path) == {"a.zip": path.read_bytes()}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["set/link", "set/instances.json"])
def test_links_and_devices_refuse_the_whole_archive(tmp_path: Path, kind: int, name: str):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        for good, content in GOOD.items():
            if good != name:
                made.writestr(good, content)
        member = zipfile.ZipInfo(name)
        member.external_attr = (kind | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    with pytest.raises(SourceRefused, match="is a link or a device"):
        take(path, tmp_path / "root")


def test_a_bomb_is_refused_by_what_it_promises(tmp_path: Path):
    path = write(tmp_path / "a.zip", {**GOOD, "set/refs(unc).p": b"\0" * 5000})
    assert path.stat().st_size < 1000
    with pytest.raises(SourceRefused, match=r"refs\(unc\)\.p' would have 5\.0 kB, more than the 1\.0 kB"):
        take(path, tmp_path / "root")
    images = ImageMembers(re.compile(r".*\.jpg"), "images", "here", None)
    many = write(tmp_path / "b.zip", {f"images/{n}.jpg": b"\0" * 900 for n in range(12)})
    with pytest.raises(SourceRefused, match=r"would have 10\.8 kB unpacked, more than"):
        wanted_of(many, archive_of(images=images))


def test_a_bomb_that_lies_about_its_size_ends_where_its_promise_ends(tmp_path: Path):
    path = write(tmp_path / "a.zip", {**GOOD, "set/refs(unc).p": b"\0" * 10**6})
    content = bytearray(path.read_bytes())
    true, lie = (10**6).to_bytes(4, "little"), (500).to_bytes(4, "little")
    assert content.count(true) == 2
    path.write_bytes(content.replace(true, lie))
    with pytest.raises(SourceRefused, match="damaged"):
        take(path, tmp_path / "root")
    assert "refer/set/refs(unc).p" not in files_of(tmp_path / "root")


@pytest.mark.parametrize("files", [{"set/instances.json": b"{}"}, {}])
def test_an_archive_without_what_is_needed_is_refused(tmp_path: Path, files: dict[str, bytes]):
    with pytest.raises(SourceRefused, match="holds no "):
        take(write(tmp_path / "a.zip", files), tmp_path / "root")


def test_an_archive_that_holds_it_twice_is_refused(tmp_path: Path):
    path = write(tmp_path / "a.zip", {**GOOD, "other/instances.json": b"[]"})
    with pytest.raises(
        SourceRefused, match=r"holds instances\.json 2 times: set/instances\.json, other/instances\.json"
    ):
        take(path, tmp_path / "root")


def test_a_locked_member_is_refused(tmp_path: Path):
    content = bytearray(write(tmp_path / "a.zip", GOOD).read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SourceRefused, match="encrypted with a password"):
        take(tmp_path / "a.zip", tmp_path / "root")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_rare_packing_is_refused(tmp_path: Path, method: int):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as made:
        for name, content in GOOD.items():
            made.writestr(name, content)
    with pytest.raises(SourceRefused, match="has a compression that is not supported"):
        take(tmp_path / "a.zip", tmp_path / "root")


@pytest.mark.parametrize("content", [b"", b"<html>log in</html>", b"PK\x03\x04", zipped(GOOD)[:-30]])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SourceRefused, match="is not a readable zip archive"):
        wanted_of(tmp_path / "a.zip", archive_of())


def test_every_single_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path):
    path, root = write(tmp_path / "a.zip", GOOD), tmp_path / "root"
    content = path.read_bytes()
    take(path, root)
    right = files_of(root)
    for at in range(len(content)):
        broken = bytearray(content)
        broken[at] ^= 0x21
        path.write_bytes(broken)
        try:
            wanted = wanted_of(path, archive_of())
            read_through(path, wanted, nothing)
        except SourceRefused:
            continue
        fresh = tmp_path / "fresh" / str(at)
        fresh.mkdir(parents=True)
        unpack(path, wanted, fresh, replace=False, on_progress=nothing)
        assert files_of(fresh) == right


def test_images_go_flat_into_their_folder_and_others_stay(tmp_path: Path):
    images = ImageMembers(re.compile(r"[0-9]+\.jpg"), "images", "referit/images", 2)
    pictures = {"saiapr/00/images/1.jpg": jpeg(value=1), "saiapr/01/images/1002.jpg": jpeg(value=2)}
    junk = {"saiapr/00/segmented/1.jpg": b"x", "saiapr/00/images/notes.txt": b"x", "images/.jpg": b"x"}
    path, archive = write(tmp_path / "a.zip", {**pictures, **junk}), archive_of(10**5, images)
    assert take(path, tmp_path / "root", archive) == Unpacked(2, 0, 0)
    found = files_of(tmp_path / "root")
    assert found == {
        "referit/images/1.jpg": pictures["saiapr/00/images/1.jpg"],
        "referit/images/1002.jpg": pictures["saiapr/01/images/1002.jpg"],
    }
    (tmp_path / "root/referit/images/1.jpg").write_bytes(b"cut off")
    (tmp_path / "root/referit/images/1002.jpg").unlink()
    assert take(path, tmp_path / "root", archive, replace=True) == Unpacked(2, 0, 1)
    assert files_of(tmp_path / "root") == found


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    path = write(tmp_path / "a.zip", GOOD)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/refer").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"instances\.json: (Not a directory|File exists); run the command again"):
        take(path, tmp_path / "root")


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path: Path):
    path, place = write(tmp_path / "a.zip", GOOD), tmp_path / "root/refer/set"
    place.mkdir(parents=True)
    (place / ".refs(unc).p.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: No space left on device; run the command again"):
        take(path, tmp_path / "root")
    assert sorted(file.name for file in place.iterdir()) == ["instances.json"]


def test_a_disk_too_small_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = type("Usage", (), {"free": 50})
    monkeypatch.setattr("risbench.datasets.get.unpack.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"106 B are needed to unpack a\.zip and 50 B are free"):
        take(write(tmp_path / "a.zip", GOOD), tmp_path / "root")
    assert files_of(tmp_path / "root") == {}
