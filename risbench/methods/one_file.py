"""Import one file of Python, such as a method that somebody is writing, as ``python FILE`` would import it.

- The folder of the file becomes importable, so that the modules beside it are found. In a package (a folder with
  ``__init__.py``) it is the folder above the package, so that relative imports work.
- The file is always read from its source. A file that was changed since it was imported in this process (in a notebook)
  is imported again, together with the modules beside it that it brought.
- The module is called as the file, unless this name belongs to another module; then underscores are added.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module, invalidate_caches
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from ..errors import RisbenchError
from ..faults import described

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class _Imported(NamedTuple):
    """A module and the files that came with it: their modules' names, sizes and times when they were imported."""

    module: ModuleType
    brought: dict[str, tuple[Path, tuple[int, int]]]


_imported: dict[Path, _Imported] = {}


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: cached bytecode is not noticed to be old within one second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def import_file(path: Path) -> ModuleType:
    """Import a file of Python; a second call gives the same module, unless the file was changed.

    Args:
        path: an existing file.

    Raises:
        RisbenchError: its code cannot be imported; the message has the error and its line.
    """
    real = path.resolve()
    if (known := _imported.get(real)) is not None:
        is_there = sys.modules.get(known.module.__name__) is known.module
        if is_there and all(_state(file) == state for file, state in known.brought.values()):
            return known.module
        for name in known.brought:
            sys.modules.pop(name, None)
    before = frozenset(sys.modules)
    top, packages = _place_of(real)
    try:
        module = _executed(real, top, packages)
    except BaseException as error:  # somebody's code may raise anything, even SystemExit
        for name in _brought(before, top):  # the next try must not find old neighbours
            sys.modules.pop(name, None)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise RisbenchError(f"{path} cannot be imported: {described(error)}") from error
    _imported[real] = _Imported(module, {**_brought(before, top), module.__name__: (real, _state(real))})
    return module


def _place_of(file: Path) -> tuple[Path, list[str]]:
    """The folder that must be importable, and the packages below it that the file lies in."""
    packages: list[str] = []
    top = file.parent
    while (top / "__init__.py").is_file() and top.name.isidentifier():
        packages.insert(0, top.name)
        top = top.parent
    return top, packages


def _brought(before: frozenset[str], folder: Path) -> dict[str, tuple[Path, tuple[int, int]]]:
    """The modules below a folder that were imported since, with their files and these files' states."""
    return {
        name: (file, _state(file))
        for name, one in list(sys.modules.items())
        if name not in before and (file := _own_file(name, one, folder)) is not None
    }


def _executed(file: Path, top: Path, packages: list[str]) -> ModuleType:
    _make_importable(top, at_front=True)
    above = packages[:-1] if file.name == "__init__.py" else packages
    stem = packages[-1] if file.name == "__init__.py" and packages else file.stem
    if above:
        _make_importable(file.parent, at_front=False)
        parent = import_module(".".join(above))
        if Path(str(getattr(parent, "__file__", None))).resolve().parent != top.joinpath(*above):
            above = []  # another package of this name was imported before
    name = ".".join((*above, stem)) if above else _free_name(stem)
    spec = spec_from_file_location(name, file, loader=_SourceLoader(name, str(file)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _make_importable(folder: Path, *, at_front: bool) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0 if at_front else len(sys.path), str(folder))
    invalidate_caches()  # files may have been written since the folder was last listed


def _free_name(stem: str) -> str:
    """A module name for a file: its stem if no other module has this name."""
    name = re.sub(r"\W", "_", stem)
    while name in sys.modules or name in sys.stdlib_module_names or (name != stem and find_spec(name) is not None):
        name += "_"
    return name


def _own_file(name: str, module: ModuleType, folder: Path) -> Path | None:
    """The file of a module that lies below a folder; None for others, for installed libraries and for this program."""
    text = getattr(module, "__file__", None)
    if not isinstance(text, str) or name.partition(".")[0] == "risbench":
        return None
    file = Path(text).resolve()
    if not file.is_relative_to(folder) or not _INSTALLED.isdisjoint(file.relative_to(folder).parts):
        return None
    return file


def _state(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns
