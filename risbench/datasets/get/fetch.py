"""Download one URL into one file, and continue an earlier partial download.

A partial file is continued with ``Range`` and ``If-Range`` (the ETag, else the date of the last change). If the file
changed, or the server does not support ``Range``, the server sends the complete file, and the partial file starts
again.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from ...errors import DataError
from .messages import OnProgress, size_of
from .part import State, bytes_of, drop
from .sources import SourceRefused, Unreachable

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

_PIECE = 1 << 16
# A try that received this much more is progress, and the count of failures starts again.
_GAIN = 1 << 20
_LATER = {408, 425, 429, 500, 502, 503, 504}


class _Again(Exception):
    """A temporary fault: try again after a pause, or after the server's ``Retry-After``."""

    def __init__(self, text: str, after: float | None = None, answered: bool = True) -> None:
        super().__init__(text)
        self.after, self.answered = after, answered


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits and retries for a server.

    Attributes:
        connect: seconds to wait for a connection.
        read: seconds to wait for a byte.
        slowest: minimum of bytes per second, averaged over ``window`` seconds.
        tries: number of successive failures after which a source is given up.
        pause: seconds before the second try; doubled each time.
        longest: the longest pause, even if a server asks for more.
    """

    connect: float = 20.0
    read: float = 60.0
    slowest: float = 1024.0
    window: float = 60.0
    tries: int = 5
    pause: float = 1.0
    longest: float = 60.0


class Client:
    """HTTP connections that are reused, also by several threads."""

    def __init__(self, jobs: int = 1, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.stopped = threading.Event()
        self._session = requests.Session()
        self._session.max_redirects = 10
        self._session.headers["User-Agent"] = "risbench (data get)"
        # Without encoding, because a partial encoded answer could not be continued.
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=jobs, pool_maxsize=jobs))

    def __enter__(self) -> Client:
        """Return the client."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Stop running downloads, and close the connections."""
        self.stopped.set()
        self._session.close()

    def fetch(
        self,
        url: str,
        part: Path,
        *,
        most: int,
        size: int | None = None,
        checked: bool = False,
        on_progress: OnProgress,
        say: Callable[[str], object] = lambda text: None,
    ) -> int:
        """Download a URL completely into a partial file.

        Args:
            url: the URL; redirects are followed only to http(s).
            part: the partial file; it is started or continued.
            most: the largest accepted size in bytes.
            size: the exact size in bytes, if known.
            checked: whether a checksum will be compared, so that any partial file may be continued.
            on_progress: called with the number of received bytes and of all bytes.
            say: called with a message before each pause.

        Returns:
            The number of bytes.

        Raises:
            Refused: this source cannot be used.
            DataError: the file cannot be written.
        """
        patience, failures = self.patience, 0
        while True:
            before = bytes_of(part)
            try:
                return self._once(url, part, most, size, checked, on_progress)
            except _Again as fault:
                failures = 1 if bytes_of(part) - before >= _GAIN else failures + 1
                # A host that does not answer at all is tried only twice: the host or the network is down.
                if failures >= (patience.tries if fault.answered else min(2, patience.tries)):
                    kind = SourceRefused if fault.answered else Unreachable
                    raise kind(f"{fault} ({failures} tries)") from None
                wait = patience.pause * 2 ** (failures - 1) if fault.after is None else fault.after
                wait = min(wait, patience.longest)
                say(f"{fault}; trying again in {wait:.0f} s")
            if self.stopped.wait(wait):
                raise SourceRefused("stopped")

    def _once(self, url: str, part: Path, most: int, size: int | None, checked: bool, on_progress: OnProgress) -> int:
        state = State.of(part)
        offset = bytes_of(part) if state.can_go_on(url, checked) else 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and state.url == url and state.version:
            headers["If-Range"] = state.version
        try:
            timeout = (self.patience.connect, self.patience.read)
            response = self._session.get(url, headers=headers, stream=True, timeout=timeout)
        except requests.exceptions.InvalidSchema as error:
            raise SourceRefused(f"redirects to an address that is not http(s) ({str(error)[:80]})") from None
        except requests.TooManyRedirects:
            raise SourceRefused("redirects without end") from None
        except requests.exceptions.SSLError as error:
            raise SourceRefused(f"its certificate is not valid ({str(error)[:100]})") from None
        except requests.Timeout:
            raise _Again("no answer in time", answered=False) from None
        except requests.ConnectionError as error:
            raise _Again(f"no connection ({_reason(error)})", answered=False) from None
        except (requests.RequestException, ValueError) as error:
            raise SourceRefused(f"cannot be reached ({str(error)[:100]})") from None
        with response:
            if response.status_code == 416 and offset:
                if _whole(response) == offset:
                    return offset
                drop(part)
                raise _Again("has another size than the partial file")
            if response.status_code in _LATER:
                raise _Again(f"answers {response.status_code} {response.reason}", _retry_after(response))
            if response.status_code not in (200, 206):
                raise SourceRefused(f"answers {response.status_code} {response.reason}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise SourceRefused("sends it encoded, against the request")
            total = self._size_of(response, part, offset)
            if response.status_code == 200:
                offset = 0
            if size is not None and total is not None and total != size:
                raise SourceRefused(f"has {total} bytes instead of {size}")
            if max(total or 0, offset) > most:
                raise SourceRefused(f"{total} bytes are more than the accepted {most}")
            _look_for_room(part, (total or 0) - offset)
            return self._receive(response, url, part, offset, total, most, on_progress)

    def _size_of(self, response: requests.Response, part: Path, offset: int) -> int | None:
        """The size of the complete file.

        If the server continues at another place than requested, the partial file is removed.
        """
        if response.status_code == 200:
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isascii() and length.isdigit() else None
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not offset or found is None or int(found[1]) != offset:
            drop(part)
            raise _Again("sends another range than requested")
        return None if found[2] == "*" else int(found[2])

    def _receive(
        self,
        response: requests.Response,
        url: str,
        part: Path,
        done: int,
        total: int | None,
        most: int,
        on_progress: OnProgress,
    ) -> int:
        raw: HTTPResponse = response.raw
        begun, begun_at = time.monotonic(), done
        try:
            with part.open("ab" if done else "wb") as file:
                # Remove the old bytes before recording the new version, so that a kill in between leaves no mixture.
                if not done:
                    State(url, _version(response)).keep(part)
                on_progress(done, total)
                while piece := raw.read1(_PIECE):
                    if self.stopped.is_set():
                        raise SourceRefused("stopped")
                    done += len(piece)
                    if done > most:
                        raise SourceRefused(f"sends more than the accepted {most} bytes")
                    file.write(piece)
                    on_progress(done, total)
                    if (spent := time.monotonic() - begun) > self.patience.window:
                        if (done - begun_at) / spent < self.patience.slowest:
                            raise _Again(f"sends less than {self.patience.slowest:.0f} bytes a second")
                        begun, begun_at = time.monotonic(), done
        except OSError as error:
            raise DataError(f"{part}: {error.strerror}; the received part is kept, run the command again") from None
        except urllib3.exceptions.HTTPError as error:
            raise _Again(f"the connection broke at {size_of(done)} ({type(error).__name__})") from None
        if total is not None and done < total:
            raise _Again(f"the connection ended at {done} of {total} bytes")
        return done


def _version(response: requests.Response) -> str:
    """The value for `If-Range`: a strong ETag, else the date of the last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _whole(response: requests.Response) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", "").strip())
    return int(found[1]) if found else None


def _retry_after(response: requests.Response) -> float | None:
    pause = response.headers.get("Retry-After", "")
    return float(pause) if pause.isascii() and pause.isdigit() else None


def _look_for_room(part: Path, needed: int) -> None:
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(part.parent).free
        if needed > free:
            raise DataError(f"{part.parent}: {size_of(needed)} are needed and {size_of(free)} are free")


def _reason(error: Exception) -> str:
    text = str(error)
    for sign, plain in (
        ("resol", "its name cannot be resolved"),
        ("refused", "refused"),
        ("unreachable", "the network is not reachable"),
        ("reset", "reset"),
        ("Remote end closed", "closed the connection without an answer"),
    ):
        if sign in text:
            return plain
    return type(error).__name__
