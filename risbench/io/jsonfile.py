"""JSON files read whole, with errors that name the file and the line."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError, RisbenchError
from . import reading
from .wrong_content import json_fault_in


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """Turn off Python's cyclic garbage collector, which would visit the millions of objects that parsing makes.

    There are no cycles among them. Reading a full instances.json takes a third less time this way.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_json(path: Path, origin: str) -> Any:
    """The value of a JSON file in UTF-8.

    Args:
        path: the file.
        origin: where the file comes from, for the error message.

    Raises:
        DataError: the file is missing or is not JSON; the message has the line.
    """
    if path.exists():
        reading.size_of_file(path, reading.ANNOTATION_BYTES, "a JSON file of annotations")
    text = ""
    try:
        raw = path.read_bytes()
        if (fault := json_fault_in(raw[:512])) is not None:
            raise DataError(f"{path}: {fault}; {origin}")
        text = raw.decode("utf-8-sig")
        return json.loads(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {origin}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; {origin}") from None
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip()[-1:] in ("}", "]") else "; it ends in the middle, as a download that was cut off does"
        raise DataError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}, column {error.colno}){cut}; {origin}"
        ) from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: not JSON of annotations ({str(error)[:80]}); {origin}") from None


def read_record(path: Path) -> Any:
    """The value of a JSON file that a run, or a leaderboard, wrote; a lone surrogate in it stands for a path's byte.

    Raises:
        RisbenchError: absent, broken, or larger than such a file can be.
    """
    try:
        return json.loads(
            reading.read_bytes(path, reading.RECORD_BYTES, "a record of a run").decode("utf-8", "surrogatepass")
        )
    except (ValueError, RecursionError) as error:
        raise RisbenchError(f"{path}: not JSON: {error}") from None
