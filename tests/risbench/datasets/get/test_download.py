from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.mirror import zipped
from helpers.site import Site, serving
from helpers.waiting import GUARD

from risbench.datasets.get.download import Downloaded, download
from risbench.datasets.get.fetch import Client, Patience
from risbench.datasets.get.record import NAME, Record
from risbench.datasets.get.sources import DownloadSource, SourceArchive
from risbench.errors import DataError

BODY = zipped({"set/a.json": bytes(range(256)) * 30})
OTHER = zipped({"set/a.json": b"another content"})
QUICK = Patience(connect=GUARD, read=GUARD, pause=0.001, tries=3, longest=0.02)


class Heard:
    """A talk whose lines are kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, title: str, *, in_bytes: bool) -> Any:
        from contextlib import nullcontext

        return nullcontext(lambda done, total: None)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def heard() -> Heard:
    return Heard()


def archive_on(site: Site, *paths: str, **more: Any) -> SourceArchive:
    sources = tuple(DownloadSource(site.url(path)) for path in paths)
    return SourceArchive(
        "set", "set.zip", "a set", sources, {"a.json": "refer/a.json"}, None, 10**6, 10**6, 10**6, **more
    )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def bring(tmp_path: Path, heard: Heard):
    def brought(archive: SourceArchive, record: Record | None = None) -> Downloaded:
        with Client(patience=QUICK) as client:
            return download(client, archive, tmp_path, record or Record(tmp_path), heard)

    return brought


def test_the_next_source_is_tried_when_one_gives_nothing(site: Site, bring, heard: Heard):
    site.put("/b", BODY)
    found = bring(archive_on(site, "/a", "/b"))
    assert (found.path.name, found.path.read_bytes(), found.url) == ("set.zip", BODY, site.url("/b"))
    assert (found.size, found.sha256, found.trust) == (len(BODY), sha256(BODY), "first use")
    assert any("answers 404" in line for line in heard.lines)


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ({"sha256": sha256(BODY)}, f"its SHA-256 is {sha256(OTHER)} instead of {sha256(BODY)}"),
        ({"md5": hashlib.md5(BODY).hexdigest()}, "its MD5 is "),
        ({"size": len(BODY)}, f"has {len(OTHER)} bytes instead of {len(BODY)}"),
    ],
)
def test_wrong_bytes_are_refused_by_name_and_the_next_source_is_tried(
    site: Site, bring, heard: Heard, right: dict[str, Any], message: str
):
    site.put("/bad", OTHER)
    site.put("/good", BODY)
    found = bring(archive_on(site, "/bad", "/good", **right))
    assert found.path.read_bytes() == BODY
    assert any(message in line for line in heard.lines)


@pytest.mark.parametrize("junk", [b"<html>please log in</html>", BODY[:-40], zipped({"set/b.json": b"x"})])
def test_without_a_checksum_what_is_not_the_archive_is_refused_all_the_same(site: Site, bring, junk: bytes):
    site.put("/bad", junk)
    site.put("/good", BODY)
    assert bring(archive_on(site, "/bad", "/good")).path.read_bytes() == BODY


def test_a_damaged_member_is_seen_before_the_archive_is_trusted(site: Site, bring, tmp_path: Path):
    damaged = bytearray(BODY)
    damaged[60] ^= 1
    site.put("/bad", bytes(damaged))
    with pytest.raises(DataError, match=r"member 'set/a\.json' is damaged"):
        bring(archive_on(site, "/bad"))
    assert not list(tmp_path.iterdir())


def test_when_no_source_will_do_each_reason_is_told(site: Site, bring):
    site.put("/bad", OTHER)
    archive = archive_on(site, "/none", "/bad", sha256=sha256(BODY), by_hand=("https://example.org/page",))
    with pytest.raises(DataError, match=r"no source gave it: .*404.*; .*SHA-256.*by hand: https://example\.org/page"):
        bring(archive)


def test_a_broken_off_download_says_what_is_kept_and_goes_on(site: Site, bring, tmp_path: Path):
    page = site.put("/a", BODY, script=[("cut", 100), 404])
    with pytest.raises(DataError, match="100 B are kept, and the same command continues from there"):
        bring(archive_on(site, "/a"))
    page.script.clear()
    assert bring(archive_on(site, "/a")).path.read_bytes() == BODY
    assert site.requests[-1].range == "bytes=100-"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip"]


def test_a_source_that_fails_leaves_the_part_of_another_alone(site: Site, bring, tmp_path: Path):
    site.put("/a", BODY, script=[("cut", 100), 404])
    with pytest.raises(DataError):
        bring(archive_on(site, "/a", "/b"))
    assert (tmp_path / "set.zip.part").read_bytes() == BODY[:100]


def test_a_continued_part_that_turns_out_wrong_is_begun_anew_at_the_same_source(site: Site, bring, tmp_path: Path):
    (tmp_path / "set.zip.part").write_bytes(b"something else entirely")
    site.put("/a", BODY)
    assert bring(archive_on(site, "/a", sha256=sha256(BODY))).path.read_bytes() == BODY
    assert [one.range for one in site.requests] == ["bytes=23-", None]


def test_an_archive_that_is_there_is_not_got_again_unless_it_is_wrong(site: Site, bring, heard: Heard):
    site.put("/a", BODY)
    archive = archive_on(site, "/a", sha256=sha256(BODY))
    bring(archive)
    assert bring(archive).path.read_bytes() == BODY
    assert len(site.requests) == 1
    (bring(archive).path).write_bytes(OTHER)
    assert bring(archive).path.read_bytes() == BODY
    assert any("downloaded again" in line for line in heard.lines)


def test_what_came_first_is_trusted_and_compared_later(site: Site, bring, tmp_path: Path):
    site.put("/a", BODY)
    record = Record(tmp_path)
    first = bring(archive_on(site, "/a"), record)
    record.keep("set", url=first.url, size=first.size, sha256=first.sha256, trust=first.trust, files={})
    first.path.unlink()
    assert bring(archive_on(site, "/a"), Record(tmp_path)).trust == "record"
    first.path.unlink()
    site.put("/other", OTHER)
    with pytest.raises(DataError, match=f"then it was {sha256(BODY)} .*remove it from .*{NAME}"):
        bring(archive_on(site, "/other"), Record(tmp_path))
    assert bring(archive_on(site, "/other", "/a"), Record(tmp_path)).path.read_bytes() == BODY


def test_the_record_is_small_and_plain(tmp_path: Path):
    record = Record(tmp_path)
    assert record.of("set") is None
    record.keep("set", url="http://x/set.zip", size=5, sha256="ab" * 32, trust="first use", files={"a": "cd" * 32})
    kept = json.loads((tmp_path / NAME).read_text())["archives"]["set"]
    when = kept.pop("when")
    assert kept == {
        "url": "http://x/set.zip",
        "bytes": 5,
        "sha256": "ab" * 32,
        "trust": "first use",
        "files": {"a": "cd" * 32},
    }
    assert when.endswith("Z")
    assert Record(tmp_path).of("set") == {**kept, "when": when}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"archives": []}', '{"archives": {"set": {"sha256": 5}}}', '{"archives": {"set": {}}}']
)
def test_a_broken_record_is_refused_by_name(tmp_path: Path, content: str):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(DataError, match=rf"{NAME}: not a record of downloads"):
        Record(tmp_path)
