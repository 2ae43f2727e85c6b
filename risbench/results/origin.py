"""The origin of a run's rows: the code of the method, of its refiner and of the scoring, and its input files.

Rows of two versions of a method must not be mixed in one run, and a finished run must not be reused after the code was
changed. So the header records a hash of the code (`codefiles`), and a run is continued only by the same code.

- The hash decides, not the commit: a commit that does not touch the code changes nothing, and two edits of an
  uncommitted tree are two origins. Distribution, version and commit are recorded for readers. They decide only where
  there is no hash.
- Configuration and data files inside a package are not code. Files that an option or ``--weights`` names are hashed
  too, so that weights that were changed in place are noticed.
- Code in a notebook or an interactive session has no file. The source of the class is hashed if Python knows it, and
  the origin counts as unknown, because what the class calls may have been changed.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DataError, UsageError
from ..io.hashes import sha256_of
from ..plain import plain
from .codefiles import CodeFile, digest_of, files_below, files_of, is_library, locations_of
from .provenance import commit_of, version_of

_SCORING = "risbench"
_NOT_SCORING = ("cli", "leaderboard")  # folders whose code does not influence rows
_PARTS = {"method": "the code of the method", "refiner": "the code of the refiner", "scoring": "the code that scores"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HASH = re.compile(r"[0-9a-f]{16,64}")
_MOST_FILES = 64  # of a folder that an option names
_MOST_BYTES = 1 << 32  # of a file that is hashed whole


def origin_of(
    method: Any,
    *,
    entry_point: EntryPoint | None = None,
    refiner: EntryPoint | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The origin of the rows that a method will make.

    Args:
        method: the method itself, before it is wrapped.
        entry_point: the method's entry point, if it was given by name.
        refiner: the refiner's entry point, if there is a refiner.
        options: ``weights`` and all options of the method; if a value names a file, its content is hashed.
    """
    return {
        "method": _of_method(method, entry_point),
        "refiner": None if refiner is None else _of_names([_top(refiner.module)], refiner.value, refiner),
        "scoring": scoring_origin(),
        "inputs": _inputs(options or {}, getattr(method, "card", None)),
    }


def scoring_origin() -> dict[str, Any]:
    """The code that reads annotations, scores predictions and writes rows."""
    files = sorted(files_below(Path(__file__).parents[1], _NOT_SCORING), key=lambda file: file.name)
    return {**_record(_SCORING, files), "distribution": _SCORING, "version": version_of(_SCORING)}


def is_known(origin: Any) -> bool:
    """Whether an origin records the code of all rows."""
    method = _part(origin, "method")
    complete = method.get("complete", True) is True and not (isinstance(origin, dict) and origin.get("unknown_rows"))
    return complete and all(isinstance(_part(origin, key).get("sha256"), str) for key in ("method", "scoring"))


def with_unknown_rows(origin: Mapping[str, Any] | None) -> dict[str, Any]:
    """The origin of a run whose first rows were made by code that was not recorded."""
    return {**(origin or {}), "unknown_rows": True}


def unknown_note(origin: Mapping[str, Any] | None) -> str | None:
    """The note under the figures of a run whose first rows were made by unrecorded code; None for other runs."""
    if origin is not None and origin.get("unknown_rows"):
        return "some rows may be from other code: the run was continued, and the code of its first rows is not recorded"
    return None


def code_difference(old: Any, new: Any) -> str | None:
    """How the code or the input files of two runs differ, in words; None if they do not, or it is not known."""
    for key, name in _PARTS.items():
        before, now = _part(old, key), _part(new, key)
        hashes = before.get("sha256"), now.get("sha256")
        if all(isinstance(digest, str) for digest in hashes):
            if hashes[0] != hashes[1]:
                latest = _part(now, "latest").get("file")
                where = f", last in {plain(latest, 100)}" if isinstance(latest, str) else ""
                return f"{name} was changed{where} ({_named(before)} then, {_named(now)} now)"
        elif before.get("distribution") == now.get("distribution") and before.get("version") != now.get("version"):
            return f"{name} is of another version ({_named(before)} then, {_named(now)} now)"
    before, now = _part(old, "inputs"), _part(new, "inputs")
    for key in before.keys() & now.keys():
        if before[key] != now[key]:
            hashes = f"SHA-256 {str(before[key])[:12]} then, {str(now[key])[:12]} now"
            return plain(f"the file that {key} names was changed ({hashes})", 160)
    return None


def refuse_other(path: Path, old: Any, new: Any) -> None:
    """Refuse to continue a run with other code.

    Args:
        path: the run's folder.
        old: the origin in its header.
        new: the origin of the part about to be made.

    Raises:
        UsageError: the code differs.
    """
    if (found := code_difference(old, new)) is not None:
        way_out = "--overwrite replaces the run, another --out keeps both"
        raise UsageError(f"{path} was made by other code: {found}; {way_out}")


def _of_method(method: Any, entry_point: EntryPoint | None) -> dict[str, Any]:
    homes = list(_homes(method))
    names = [_top(home.__module__) for home in homes]
    if entry_point is not None:
        names.insert(0, _top(entry_point.module))
    made = type(method)
    code = entry_point.value if entry_point is not None else f"{made.__module__}:{made.__qualname__}"
    record = _of_names(names, code, entry_point)
    strays = [home for home in homes if not locations_of(_top(home.__module__))]
    if strays or not names:
        sources = [str(record["sha256"])]
        for home in strays:
            with suppress(OSError, TypeError):
                sources.append(inspect.getsource(home))
        digest = hashlib.sha256("\0".join(sources).encode("utf-8", "backslashreplace")).hexdigest()
        return {**record, "sha256": digest if len(sources) > 1 else record["sha256"], "complete": False}
    return record


def _homes(method: Any) -> Iterator[Any]:
    """The classes and functions that make a method's predictions, as far as they can be found from outside."""
    yield from _classes(type(method))
    for name in ("predict", "predict_many"):
        function = getattr(method, name, None)
        while function is not None:
            owner = getattr(function, "__self__", None)
            if owner is not None and not isinstance(owner, ModuleType):
                yield from _classes(owner if isinstance(owner, type) else type(owner))
            inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
            if inner is None and inspect.isroutine(function) and getattr(function, "__module__", None):
                yield getattr(function, "__func__", function)
            function = inner


def _classes(kind: type) -> Iterator[type]:
    yield from (each for each in kind.__mro__ if _top(each.__module__) not in sys.stdlib_module_names)


def _top(module: str) -> str:
    """The top-level package of a module; a package run with ``python -m`` calls its module ``__main__``."""
    if module == "__main__" and (spec := getattr(sys.modules.get("__main__"), "__spec__", None)) is not None:
        module = spec.name
    return module.partition(".")[0]


def _of_names(names: Sequence[str], code: str, entry_point: EntryPoint | None) -> dict[str, Any]:
    dist = entry_point.dist if entry_point is not None else None
    own = {file.parts[0].removesuffix(".py") for file in (dist.files or ()) if file.suffix == ".py"} if dist else set()
    record = _record(code, files_of(names, own - {_SCORING}, without=(_SCORING,)))
    return {**record, "distribution": dist.name if dist else None, "version": dist.version if dist else None}


def _record(code: str, files: Sequence[CodeFile]) -> dict[str, Any]:
    if not files:
        return {"code": code, "files": 0, "sha256": None, "commit": None}
    digest = digest_of(files)
    last, name = max((file.modified, file.name) for file in files)
    tops = {file.path.removesuffix(file.name) + file.name.partition("/")[0] for file in files}
    return {
        "code": code,
        "files": len(files),
        "sha256": digest,
        "latest": {"file": name, "modified": datetime.fromtimestamp(last // 10**9, UTC).strftime(_TIME)},
        "commit": commit_of(tuple(top for top in sorted(map(Path, tops)) if not is_library(top)), digest),
    }


def _inputs(options: Mapping[str, Any], card: Any) -> dict[str, str]:
    """The hashes of the files that options name; without the weights if the card has their hash."""
    found: dict[str, str] = {}
    for key, value in options.items():
        stated = card.get("weights") if isinstance(card, Mapping) else None
        if key == "weights" and isinstance(stated, str) and _HASH.fullmatch(stated):
            continue
        if isinstance(value, (str, Path)) and str(value):
            with suppress(OSError, ValueError, DataError):
                if (digest := _content(Path(value).expanduser())) is not None:
                    found[key] = digest
    return found


def _content(path: Path) -> str | None:
    if path.is_file():
        stat = path.stat()
        return sha256_of(path) if stat.st_size <= _MOST_BYTES else f"{stat.st_size} bytes of {stat.st_mtime_ns}"
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else []
    if not 0 < len(files) <= _MOST_FILES:
        return None
    listed = "\n".join(f"{file.name} {_content(file)}" for file in files)
    return hashlib.sha256(os.fsencode(listed)).hexdigest()


def _part(origin: Any, key: str) -> Mapping[str, Any]:
    """A part of an origin; empty if a stranger's header has something else there."""
    found = origin.get(key) if isinstance(origin, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _named(part: Mapping[str, Any]) -> str:
    words = [part.get("distribution"), part.get("version")]
    text = " ".join(str(word) for word in words if word) or str(part.get("code"))
    commit, plus, changes = str(part.get("commit") or "").partition("+")
    return plain(f"{text} at commit {commit[:10]}{plus}{changes}" if commit else text, 120)
