"""No test of this folder leaves the machine, whatever the environment says of proxies."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            pytest.fail(f"a test asked for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
