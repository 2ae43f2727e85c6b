"""What goes wrong while data are got is one line, and nothing that was got is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import annotations, mirror
from helpers.commands import Ask
from helpers.got import VAL, there
from helpers.site import Site, nobody
from helpers.waiting import GUARD, wait_until

from risbench.datasets.get import fetch, get


@pytest.fixture
def closed() -> Iterator[str]:
    with nobody() as address:
        yield address


def test_no_network_is_one_plain_line_and_soon(site: Site, tmp_path: Path, ask: Ask, closed: str):
    table = json.loads((tmp_path / "sources.json").read_text())
    table["archives"]["refcoco"]["sources"] = [{"url": f"{closed}/refcoco.zip"}]
    table["images"]["train2014"]["sources"] = [{"url": f"{closed}/{{file}}"}]
    (tmp_path / "sources.json").write_text(json.dumps(table))
    result = ask("data", "get", "refcoco_val")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith(
        f"risbench: refcoco.zip: no source gave it: {closed.removeprefix('http://')} no connection (refused)"
    )
    annotations.write_refer(tmp_path / "data")
    result = ask("data", "get", "refcoco_val")
    assert result.code == 1
    assert (
        "no connection (refused) (2 tries); 0 images downloaded, the same command continues"
        in result.err.splitlines()[-1]
    )


def test_a_root_that_cannot_be_written_is_one_line(site: Site, tmp_path: Path, ask: Ask):
    (tmp_path / "a file").write_text("")
    result = ask("data", "get", "refcoco", "--data-root", tmp_path / "a file")
    assert result.code == 1
    assert "a file/downloads: cannot be written (Not a directory)" in result.err
    assert "Traceback" not in result.err


def test_a_full_disk_is_one_line(site: Site, root: Path, ask: Ask):
    (root / "downloads").mkdir(parents=True)
    (root / "downloads/refcoco.zip.part").symlink_to("/dev/full")
    result = ask("data", "get", "refcoco")
    assert result.code == 1
    assert "refcoco.zip.part: No space left on device; the received part is kept" in result.err.splitlines()[-1]


def test_two_at_work_in_one_root_are_one_too_many(site: Site, root: Path, ask: Ask):
    with get._locked(root):
        result = ask("data", "get", "refcoco")
    assert result.code == 1
    assert "another `risbench data get` is running" in result.err


def test_many_images_come_by_several_connections(site: Site, tmp_path: Path, ask: Ask):
    count = 60
    instances, _ = annotations.refer_content()
    instances["images"] = [annotations.image(n, annotations.SIZE) for n in range(1, count + 1)]
    instances["annotations"] = [
        annotations.annotation(n, n, [1, 1, 5, 5], [[1, 1, 6, 1, 6, 6]]) for n in range(1, count + 1)
    ]
    refs = [annotations.ref(n, n, n, "val", [annotations.sentence(n, "it")]) for n in range(1, count + 1)]
    annotations.write_refer(tmp_path / "data", instances, refs)
    mirror.put_images(site, *range(1, count + 1))
    for number in (7, 8, 40):
        site.pages[f"/coco/{mirror.file_of(number)}"].script = [500, ("cut", 100), None]
    result = ask("data", "get", "refcoco_val", "--jobs", "6")
    assert result.code == 0, result.err
    assert len(set(site.paths())) == count
    assert len(site.paths()) == count + 6


def test_a_host_that_gives_no_answer_is_not_asked_for_every_image(
    site: Site, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, closed: str
):
    table = json.loads((tmp_path / "sources.json").read_text())
    table["images"]["train2014"]["sources"].insert(0, {"url": f"{closed}/{{file}}"})
    (tmp_path / "sources.json").write_text(json.dumps(table))
    requested, fetch_one = [], fetch.Client.fetch
    monkeypatch.setattr(
        fetch.Client,
        "fetch",
        lambda self, url, *more, **named: (requested.append(url), fetch_one(self, url, *more, **named))[1],
    )
    assert ask("data", "get", "refcoco", "--images", "split", "--jobs", "1").code == 0
    assert sum(url.startswith(closed) for url in requested) == 1
    assert len([path for path in site.paths() if path.startswith("/coco/")]) == 4


@pytest.mark.parametrize("page", ["/refcoco.zip", VAL[0]])
def test_ctrl_c_leaves_a_part_and_says_how_to_go_on(site: Site, root: Path, page: str, tmp_path: Path, ask: Ask):
    site.pages["/refcoco.zip"].body = mirror.refcoco_zip(more=1 << 18)  # more than a buffer holds back from the disk
    site.pages[page].hold_at = len(site.pages[page].body) // 2
    words = [sys.executable, "-m", "risbench", "data", "get", "refcoco_val"]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    wait_until(site.pages[page].held.is_set, f"half of {page} was sent", running)
    if page == "/refcoco.zip":
        part = root / "downloads" / "refcoco.zip.part"
        wait_until(lambda: part.exists() and part.stat().st_size, "a part of the archive was written", running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=GUARD)
    assert running.returncode == 1
    assert err.splitlines()[-1].endswith("stopped; what was downloaded is kept, and the same command continues")
    assert "Traceback" not in err
    site.pages[page].hold_at = None
    assert ask("data", "get", "refcoco_val").code == 0
    if page == "/refcoco.zip":
        assert next(one.range for one in reversed(site.requests) if one.path == page) is not None
    assert not [path for path in there(root) if path.endswith(".part")]


def test_help_loads_no_network():
    code = """
import sys
sys.argv = ["risbench", "data", "get", "--help"]
from risbench.cli import main
try:
    main()
except SystemExit:
    pass
print([name for name in ("requests", "urllib3", "torch", "pandas", "PIL") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
