"""Find the files that a method's code consists of, without importing anything, and compute one hash of them.

The code is the single file, or the whole package: every Python file and compiled module below its folder, because
imports may be computed at run time. Modules that it imports are part of it too, and what these import, and so on, if
they are not installed libraries: for example a module in the same folder, or another package under development.
Libraries, which lie in ``site-packages`` or belong to Python, are not part of it; the provenance has their versions.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

_SUFFIXES = (".py", *EXTENSION_SUFFIXES)
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_STANDARD = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib")})
_IMPORT = re.compile(r"[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import\b|import[ \t]+([^\n;#]+))")
_BY_NAME = re.compile(r"""\b(?:import_module|__import__)\([ \t]*["'](\w+)""")


class CodeFile(NamedTuple):
    """One file of code.

    Attributes:
        path: the file.
        name: its name within its package, which is part of the hash.
        state: bytes, times of change and inode; as long as they stay, the file is not read again.
    """

    path: str
    name: str
    state: tuple[int, int, int, int]

    @property
    def modified(self) -> int:
        """When it was last written, in nanoseconds since 1970."""
        return self.state[1]


def files_of(names: Iterable[str], own: Collection[str] = (), without: Collection[str] = ()) -> tuple[CodeFile, ...]:
    """The files of some top-level modules or packages and of what they import, sorted by name.

    Args:
        names: of top-level modules.
        own: names that are followed although they are installed, because they belong to the same distribution.
        without: names that are not followed.
    """
    found: dict[str, CodeFile] = {}
    waiting, known = list(dict.fromkeys(names)), set(without)
    first = frozenset(waiting) | frozenset(own)
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        for file in _files(name, is_wanted=name in first):
            found[file.name] = file
            if file.path.endswith(".py"):
                waiting += [other for other in _imported(file.path, file.state) if other not in known]
    return tuple(found[name] for name in sorted(found))


def digest_of(files: Iterable[CodeFile]) -> str:
    """One SHA-256 of the names and contents of files."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(os.fsencode(file.name) + b"\0" + _digest(file.path, file.state))
    return whole.hexdigest()


def is_library(path: Path) -> bool:
    """Whether a file belongs to an installed library or to Python itself."""
    return not _LIBRARIES.isdisjoint(path.parts) or str(path).startswith(
        tuple(f"{place}{os.sep}" for place in _STANDARD)
    )


def _files(name: str, is_wanted: bool) -> Iterator[CodeFile]:
    """The files of a top-level module; none if it is a library's and not wanted, or has no files."""
    if name in sys.builtin_module_names or (name in sys.stdlib_module_names and name != "__main__"):
        return
    for place in locations_of(name):
        if is_library(place) and not is_wanted:
            continue
        if place.is_dir():
            yield from files_below(place)
        elif place.is_file():
            yield CodeFile(str(place), place.name, _state(place.stat()))


def locations_of(name: str) -> tuple[Path, ...]:
    """The folder or folders of a package, or the file of a module; empty if the module has no file."""
    module = sys.modules.get(name)
    if name == "__main__":
        file = getattr(module, "__file__", None)
        return (Path(file).absolute(),) if file else ()
    spec = getattr(module, "__spec__", None)
    if spec is None:
        with suppress(ImportError, ValueError, AttributeError):
            spec = importlib.util.find_spec(name)
    # A folder of that name without `__init__.py` may be anything, such as a data set, unless it was imported.
    if spec is None or (spec.origin is None and module is None):
        return ()
    if spec.submodule_search_locations is not None:
        return tuple(Path(place).absolute() for place in spec.submodule_search_locations)
    return (Path(spec.origin).absolute(),) if spec.origin and spec.has_location else ()


def files_below(folder: Path, without: Collection[str] = ()) -> Iterator[CodeFile]:
    """The files of code below a package's folder, except below the folders named by ``without`` directly in it."""
    top = str(folder)
    waiting = [(top, folder.name)]
    while waiting:
        place, name = waiting.pop()
        # Hundreds of files at every run: as text, with one look at each; as `Path` objects they take ten times as long.
        entries = _entries(place)
        if place != top and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue  # an environment below a package's folder does not belong to it
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            within = f"{name}/{entry.name}"
            if _is_folder(entry):
                # A link to a folder is not followed: it may lead anywhere, also round in a circle.
                if not (place == top and entry.name in without) and not entry.is_symlink():
                    waiting.append((entry.path, within))
            elif entry.name.endswith(_SUFFIXES):
                with suppress(OSError):  # an editor's lock is a link to nothing
                    found = entry.stat()
                    if stat.S_ISREG(found.st_mode):
                        yield CodeFile(entry.path, within, _state(found))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing if it cannot be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_dir()
    return False


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


@lru_cache(maxsize=8192)
def _digest(path: str, state: tuple[int, ...]) -> bytes:
    with suppress(OSError):
        return hashlib.sha256(Path(path).read_bytes()).digest()
    return b"cannot be read"


def _start_of_statement(text: str, place: int) -> int:
    return max(text.rfind("\n", 0, place), text.rfind(";", 0, place)) + 1


@lru_cache(maxsize=8192)
def _imported(path: str, state: tuple[int, ...]) -> tuple[str, ...]:
    """The top-level names that a file imports anywhere; relative imports stay inside its package."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    except OSError:
        return ()
    names = set(_BY_NAME.findall(text)) if "import" in text else set()
    place = text.find("import ")
    while place >= 0:
        if (found := _IMPORT.match(text, _start_of_statement(text, place))) is not None:
            origin, several = found.groups(default="")
            names.add(origin)
            names |= {part.strip().partition(" ")[0].partition(".")[0] for part in several.split(",")}
        place = text.find("import ", place + 1)
    return tuple(sorted(name for name in names if name.isidentifier()))
