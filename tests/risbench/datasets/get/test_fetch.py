from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.examples import examples
from helpers.site import Page, Site, nobody, serving
from helpers.waiting import GUARD
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from risbench.datasets.get.fetch import Client, Patience
from risbench.datasets.get.part import State
from risbench.datasets.get.sources import SourceRefused, Unreachable
from risbench.errors import DataError

BODY = bytes(range(256)) * 40
QUICK = Patience(connect=GUARD, read=GUARD, window=GUARD, pause=0.001, tries=4, longest=0.02)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def get(url: str, part: Path, patience: Patience = QUICK, **more) -> int:
    given = {"most": 10**6, "on_progress": lambda done, total: None, **more}
    with Client(patience=patience) as client:
        return client.fetch(url, part, **given)


def ranges(site: Site) -> list[str | None]:
    return [one.range for one in site.requests]


def test_a_file_comes_whole_and_tells_how_far_it_is(site: Site, part: Path):
    site.put("/a", BODY)
    on_progress = []
    assert get(site.url("/a"), part, on_progress=lambda *now: on_progress.append(now)) == len(BODY)
    assert part.read_bytes() == BODY
    assert on_progress[0] == (0, len(BODY))
    assert on_progress[-1] == (len(BODY), len(BODY))


def test_a_cut_connection_goes_on_where_it_was_cut(site: Site, part: Path):
    site.put("/a", BODY, script=[("cut", 1000), ("cut", 2000), None])
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY
    assert ranges(site) == [None, "bytes=1000-", "bytes=3000-"]
    assert [one.if_range for one in site.requests] == [None, '"one"', '"one"']


def test_a_later_call_goes_on_where_an_earlier_one_ended(site: Site, part: Path):
    page = site.put("/a", BODY, script=[("cut", 4000), 404])
    with pytest.raises(SourceRefused, match="answers 404"):
        get(site.url("/a"), part)
    assert part.stat().st_size == 4000
    page.script.clear()
    get(site.url("/a"), part)
    assert part.read_bytes() == BODY
    assert ranges(site)[-1] == "bytes=4000-"


def test_a_server_whose_file_changed_between_parts_sends_the_new_one_whole(site: Site, part: Path):
    page = site.put("/a", b"old" * 2000, script=[("cut", 1000), 404])
    with pytest.raises(SourceRefused):
        get(site.url("/a"), part)
    page.body, page.etag, page.script = BODY, '"two"', []
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY


def test_a_kill_between_two_versions_leaves_no_mixture(site: Site, part: Path, monkeypatch: pytest.MonkeyPatch):
    page = site.put("/a", b"old" * 2000, script=[("cut", 1000), 404])
    with pytest.raises(SourceRefused):
        get(site.url("/a"), part)
    page.body, page.etag, page.script = BODY, '"two"', []
    keep = State.keep

    def keep_and_die(self: State, part: Path) -> None:
        keep(self, part)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(State, "keep", keep_and_die)
        with pytest.raises(KeyboardInterrupt):
            get(site.url("/a"), part)
    assert part.read_bytes() == b""
    get(site.url("/a"), part)
    assert part.read_bytes() == BODY


def test_a_server_that_knows_no_ranges_starts_anew(site: Site, part: Path):
    site.put("/a", BODY, ranges=False, script=[("cut", 1000), None])
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY
    assert ranges(site) == [None, "bytes=1000-"]


def test_without_a_version_or_a_checksum_a_part_is_not_continued(site: Site, part: Path):
    site.put("/a", BODY, etag=None, script=[("cut", 1000), None])
    get(site.url("/a"), part)
    assert part.read_bytes() == BODY
    assert ranges(site) == [None, None]


def test_without_a_checksum_a_part_of_another_source_is_not_continued(site: Site, part: Path):
    site.put("/a", b"other" * 1000, script=[("cut", 1000), 404])
    site.put("/b", BODY)
    with pytest.raises(SourceRefused):
        get(site.url("/a"), part)
    get(site.url("/b"), part)
    assert part.read_bytes() == BODY
    assert site.requests[-1].range is None


def test_a_server_that_gives_less_of_a_range_is_asked_for_the_rest(site: Site, part: Path):
    site.put("/a", BODY, at_most=4000, script=[("cut", 1000), None])
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY
    assert ranges(site) == [None, "bytes=1000-", "bytes=5000-", "bytes=9000-"]


def test_a_server_that_sends_another_range_than_asked_for_begins_anew(site: Site, part: Path):
    site.put("/a", BODY, shift=7, script=[("cut", 1000), None])
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY
    assert ranges(site) == [None, "bytes=1000-", None]


def test_where_a_checksum_will_tell_a_part_is_continued_elsewhere(site: Site, part: Path):
    site.put("/a", BODY, etag=None, script=[("cut", 1000), 404])
    site.put("/b", BODY, etag='"other"')
    with pytest.raises(SourceRefused):
        get(site.url("/a"), part, checked=True)
    get(site.url("/b"), part, checked=True)
    assert part.read_bytes() == BODY
    assert site.requests[-1] == ("/b", "bytes=1000-", None)


def test_a_part_that_is_whole_already_is_not_sent_again(site: Site, part: Path):
    site.put("/a", BODY)
    get(site.url("/a"), part)
    assert get(site.url("/a"), part) == len(BODY)
    assert ranges(site) == [None, f"bytes={len(BODY)}-"]


def test_a_part_longer_than_the_file_starts_anew(site: Site, part: Path):
    page = site.put("/a", BODY * 2)
    get(site.url("/a"), part)
    page.body = BODY
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY


def test_a_server_in_trouble_is_asked_again_and_no_more_often_than_told(site: Site, part: Path):
    site.put("/a", BODY, script=[500, 503, 429, None])
    assert get(site.url("/a"), part) == len(BODY)
    site.put("/b", BODY, script=[500] * 9)
    with pytest.raises(SourceRefused, match=r"answers 500 .*\(4 tries\)"):
        get(site.url("/b"), part)
    assert site.paths().count("/b") == 4


def test_a_pause_is_told(site: Site, part: Path):
    site.put("/a", BODY, script=[500, ("later", 7), None])
    on_progress = []
    get(site.url("/a"), part, say=on_progress.append)
    assert on_progress == [
        "answers 500 Internal Server Error; trying again in 0 s",
        "answers 503 Service Unavailable; trying again in 0 s",
    ]


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(
        st.none() | st.sampled_from([500, 404, 416]) | st.tuples(st.just("cut"), st.integers(0, 300)), max_size=6
    ),
    etag=st.sampled_from(['"one"', 'W/"weak"', None]),
    ranges=st.booleans(),
    chunked=st.booleans(),
    checked=st.booleans(),
)
def test_whatever_happens_the_file_is_right_or_refused(site: Site, part: Path, script, etag, ranges, chunked, checked):
    for left in part.parent.glob("file.part*"):
        left.unlink()
    body = bytes(range(256))
    site.put("/a", body, etag=etag, ranges=ranges, chunked=chunked, script=list(script))
    try:
        size = get(site.url("/a"), part, Patience(connect=GUARD, read=GUARD, pause=0, tries=4), checked=checked)
    except SourceRefused:
        assert not part.exists() or body.startswith(part.read_bytes())
    else:
        assert (size, part.read_bytes()) == (256, body)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_plain_no_is_not_asked_again(site: Site, part: Path, status: int):
    site.put("/a", BODY, script=[status])
    with pytest.raises(SourceRefused, match=f"answers {status}"):
        get(site.url("/a"), part)
    assert len(site.requests) == 1


def test_a_server_that_asks_for_time_gets_it_within_reason(site: Site, part: Path):
    site.put("/a", BODY, script=[("later", 7), ("later", 99), None])
    waited: list[float] = []
    with Client(patience=Patience(pause=0.001, longest=30)) as client:
        client.stopped.wait = lambda timeout=None: bool(waited.append(timeout))
        client.fetch(site.url("/a"), part, most=10**6, on_progress=lambda done, total: None)
    assert waited == [7, 30]


def test_redirects_are_followed_and_their_end_counts(site: Site, part: Path):
    site.put("/a", b"", script=[("to", "/b")])
    site.put("/b", b"", script=[("to", site.url("/c"))])
    site.put("/c", BODY)
    assert get(site.url("/a"), part) == len(BODY)


def test_redirects_without_end_are_refused(site: Site, part: Path):
    site.put("/a", b"", script=[("to", "/a")] * 99)
    with pytest.raises(SourceRefused, match="without end"):
        get(site.url("/a"), part)
    assert len(site.requests) == 11


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "gopher://x/"])
def test_redirects_lead_to_http_only(site: Site, part: Path, target: str):
    site.put("/a", b"", script=[("to", target)])
    with pytest.raises(SourceRefused, match=r"not http\(s\)"):
        get(site.url("/a"), part)
    assert not part.exists()


def test_a_wrong_size_is_refused_before_anything_comes(site: Site, part: Path):
    site.put("/a", BODY)
    with pytest.raises(SourceRefused, match=f"has {len(BODY)} bytes instead of 5"):
        get(site.url("/a"), part, size=5)
    assert not part.exists()


def test_more_than_is_believed_is_refused_whether_it_is_announced_or_not(site: Site, part: Path):
    site.put("/a", BODY)
    with pytest.raises(SourceRefused, match="more than the accepted 100"):
        get(site.url("/a"), part, most=100)
    site.put("/b", BODY, says=None)
    with pytest.raises(SourceRefused, match="more than the accepted 100 bytes"):
        get(site.url("/b"), part, most=100)
    assert not part.exists() or part.stat().st_size <= 1 << 16


def test_a_length_that_promises_too_much_is_seen(site: Site, part: Path):
    site.put("/a", BODY, says=len(BODY) + 5, ranges=False)
    with pytest.raises(SourceRefused, match=r"connection .* \(4 tries\)"):
        get(site.url("/a"), part)


@pytest.mark.parametrize("page", [Page(BODY, says=None), Page(BODY, chunked=True)])
def test_a_file_of_unknown_length_comes_whole(site: Site, part: Path, page: Page):
    site.pages["/a"] = page
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY


def test_a_cut_chunk_is_seen(site: Site, part: Path):
    site.put("/a", BODY, chunked=True, script=[("cut", 1000), None])
    assert get(site.url("/a"), part) == len(BODY)
    assert part.read_bytes() == BODY
    assert len(site.requests) == 2


def test_a_silent_server_and_a_trickling_one_are_given_up(site: Site, part: Path):
    site.put("/a", BODY, hold_at=1)
    with pytest.raises(SourceRefused, match=r"\(2 tries\)"):
        get(site.url("/a"), part, Patience(read=0.1, pause=0.001, tries=2))
    site.put("/b", BODY, rate=0.02)
    with pytest.raises(SourceRefused, match="less than 1000 bytes a second"):
        get(site.url("/b"), part, Patience(read=GUARD, window=0.2, slowest=1000, pause=0.001, tries=2))
    assert 0 < part.stat().st_size < len(BODY)


def test_an_encoded_answer_is_refused(site: Site, part: Path):
    site.put("/a", BODY, encoding="gzip")
    with pytest.raises(SourceRefused, match="encoded"):
        get(site.url("/a"), part)


def test_a_host_that_is_not_there_is_asked_twice_only(part: Path):
    with nobody() as address, pytest.raises(Unreachable, match=r"no connection \(refused\) \(2 tries\)"):
        get(f"{address}/a", part)


def test_a_full_disk_is_one_line_and_what_came_is_kept(site: Site, tmp_path: Path):
    site.put("/a", BODY)
    full = tmp_path / "file.part"
    full.symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"file\.part: No space left on device; the received part is kept"):
        get(site.url("/a"), full)


def test_more_than_the_disk_has_is_not_begun(site: Site, part: Path):
    site.put("/a", BODY, says=10**17)
    with pytest.raises(DataError, match=r"100000000\.0 GB are needed and .* are free"):
        get(site.url("/a"), part, most=10**18)


def test_what_is_stopped_leaves_a_part(site: Site, part: Path):
    site.put("/a", BODY, hold_at=100)
    with Client(patience=QUICK) as client:

        def stop(done: int, total: int | None) -> None:
            if done > 50:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client.fetch(site.url("/a"), part, most=10**6, on_progress=stop)
    assert part.read_bytes() == BODY[:100]
    site.pages["/a"].hold_at = None
    get(site.url("/a"), part)
    assert part.read_bytes() == BODY
    assert site.requests[-1].range is not None
