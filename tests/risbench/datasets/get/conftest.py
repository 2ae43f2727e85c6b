"""No test of this folder leaves the machine, whatever the environment says of proxies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import mirror
from helpers.site import Site, serving
from helpers.waiting import GUARD

from risbench.datasets.get import fetch, get


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            pytest.fail(f"a test asked for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with RefCOCO and its four images; it is all that the table names."""
    quick = fetch.Patience(connect=GUARD, read=GUARD, pause=0.001, tries=3, longest=0.02)
    monkeypatch.setattr(get, "Client", lambda jobs, patience: fetch.Client(jobs, quick))
    monkeypatch.setenv("RISBENCH_DATA", str(tmp_path / "data"))
    with serving() as made:
        made.put("/refcoco.zip", mirror.refcoco_zip())
        mirror.put_images(made, 1, 2, 3, 4)
        monkeypatch.setenv("RISBENCH_SOURCES", str(mirror.table_on(made, tmp_path / "sources.json")))
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"
