"""A local HTTP server with selectable faults."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request that came."""

    path: str
    range: str | None
    if_range: str | None


@dataclass
class Page:
    """What lies at a path, and how it is handed out.

    Attributes:
        body: its bytes.
        etag: what its version is called; None for no name.
        ranges: whether parts can be asked for.
        says: the length in the header; ``"right"``, none, or a wrong one.
        chunked: whether it comes in chunks.
        rate: seconds between single bytes; None for all at once.
        hold_at: after so many bytes of the body the server sets ``held`` and sends nothing more until ``released`` is
            set; None for no such pause.
        encoding: how it says that it is encoded.
        at_most: so many bytes of a range are given, and no more.
        shift: ranges begin so many bytes later than asked.
        script: what to do with the next requests, one after the other: a status, ``("cut", bytes)``,
            ``("to", address)``, ``("later", seconds)`` or ``None`` for nothing special. Afterwards all is well.
    """

    body: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    says: int | str | None = "right"
    chunked: bool = False
    rate: float | None = None
    encoding: str | None = None
    at_most: int | None = None
    shift: int = 0
    script: list[Any] = field(default_factory=list)
    hold_at: int | None = None
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Site:
    """Pages by path, and what was asked."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.lock = threading.Lock()

    def put(self, path: str, body: bytes, **more: Any) -> Page:
        self.pages[path] = Page(body, **more)
        return self.pages[path]

    def url(self, path: str) -> str:
        return self.base + path

    def paths(self) -> list[str]:
        return [one.path for one in self.requests]


@contextmanager
def serving() -> Iterator[Site]:
    """A site of its own, on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    site = server.site = Site(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for page in site.pages.values():
            page.released.set()


@contextmanager
def nobody() -> Iterator[str]:
    """An address of this machine where nobody answers: its port is taken, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        with site.lock:
            site.requests.append(Request(self.path, self.headers.get("Range"), self.headers.get("If-Range")))
            page = site.pages.get(self.path)
            step = page.script.pop(0) if page is not None and page.script else None
        try:
            if page is None:
                self._short(404)
            elif isinstance(step, int):
                self._short(step)
            elif isinstance(step, tuple) and step[0] == "to":
                self._short(302, Location=step[1])
            elif isinstance(step, tuple) and step[0] == "later":
                self._short(503, **{"Retry-After": str(step[1])})
            else:
                self._hand_out(page, step[1] if step else None)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _short(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _hand_out(self, page: Page, cut: int | None) -> None:
        body, status, start, requested = page.body, 200, 0, self.headers.get("Range")
        current = self.headers.get("If-Range") in (None, page.etag)
        if requested and page.ranges and current:
            start = int(requested.removeprefix("bytes=").rstrip("-")) + page.shift
            if start >= len(body):
                self._short(416, **{"Content-Range": f"bytes */{len(body)}"})
                return
            body, status = body[start:][: page.at_most], 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(page.body)}")
        if page.etag:
            self.send_header("ETag", page.etag)
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        if page.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif page.says is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) if page.says == "right" else page.says))
        self.end_headers()
        sent = body if cut is None else body[:cut]
        if page.chunked:
            sent = b"%x\r\n%s\r\n" % (len(body), sent) + (b"0\r\n\r\n" if cut is None else b"")
            sent = sent if cut is None else sent[:-2]
        if page.hold_at is not None:
            self.wfile.write(sent[: page.hold_at])
            page.held.set()
            page.released.wait()
            sent = sent[page.hold_at :]
        if page.rate is None:
            self.wfile.write(sent)
        else:
            for at in range(len(sent)):
                self.wfile.write(sent[at : at + 1])
                time.sleep(page.rate)
        if cut is not None or page.says != "right":
            self.close_connection = True
