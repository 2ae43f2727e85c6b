"""What a method's name means: an installed entry point, a file of Python, or an object in a module.

=========================  =============================================================================
``tris``                   an entry point in ``risbench.methods``
``./mine.py``              the function ``make`` of this file, else its only class with ``predict``
``./mine.py:NAME``         a function that makes a method, a class with ``predict``, or an object with it
``package.module:NAME``    the same of a module that Python can import, also from the current folder
=========================  =============================================================================
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .. import plugins
from ..errors import RisbenchError, UsageError
from ..faults import described
from .one_file import import_file

_SUFFIX = ".py"
_MAKE = "make"


@dataclass(frozen=True, slots=True)
class NamedFactory:
    """What makes a method, and where it stands.

    Attributes:
        title: what the method's runs are called.
        make: the factory or the class.
        place: ``package.module:name``, or ``file.py:name`` without the folder.
        point: the entry point. For a file or a module it is made here, and belongs to no distribution.
    """

    title: str
    make: Any
    place: str
    point: EntryPoint


class _Written(NamedTuple):
    """The parts of a name that is no entry point; ``target`` is empty if only a file is named."""

    file: Path | None
    module: str
    target: str

    @property
    def home(self) -> str:
        """The file or module as it is written in messages."""
        return self.module if self.file is None else str(self.file)


def title_of(name: str) -> str:
    """What the runs of a method are called. Nothing is imported.

    The runs of ``./mine.py`` and ``./mine.py:make`` are called ``mine``, those of ``./mine.py:Small`` ``mine:Small``.
    """
    written = _parts(name)
    if written is None:
        return name
    if written.file is None:
        short, whole = written.module.rpartition(".")[2], written.module
    else:
        whole = written.file.name
        short = written.file.resolve().parent.name if whole == "__init__.py" else written.file.stem
    if written.target in ("", _MAKE):
        # An installed method of this name is another method.
        return whole if short in plugins.installed(plugins.METHODS) else short
    return f"{short}:{written.target}"


def refuse_unknown(name: str) -> None:
    """Refuse a name that means nothing. Nothing is imported, so this is fast.

    Raises:
        UsageError: no such entry point, file or module; the message has the nearest names.
    """
    written = _parts(name)
    if written is None:
        if name not in plugins.installed(plugins.METHODS) and Path(f"{name}{_SUFFIX}").is_file():
            raise UsageError(f"no method named '{name}': for the file write ./{Path(name).as_posix()}{_SUFFIX}")
        plugins.refuse_absent(plugins.METHODS, name)
    elif written.file is not None and not written.file.is_file():
        if written.file.exists():
            raise UsageError(f"{written.file} is not a file: a method is a file of Python")
        folder = written.file.parent
        beside = sorted(path.name for path in folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
        hint = f": {plugins.near(written.file.name, beside)}" if beside else ""
        raise UsageError(f"there is no file {written.file}{hint}")


def factory_of(name: str) -> NamedFactory:
    """Load the factory that a name means.

    Raises:
        UsageError: the name means nothing, or more than one thing; the message has the names that there are.
        RisbenchError: its code cannot be imported, or the object cannot make a method.
    """
    refuse_unknown(name)
    written = _parts(name)
    if written is None:
        point = plugins.installed(plugins.METHODS)[name]
        return NamedFactory(name, plugins.load(plugins.METHODS, name), point.value, point)
    module = _module(written.module) if written.file is None else import_file(written.file)
    target = written.target or _only(module, written.home)
    found: Any = module
    for part in target.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{written.home} has no '{target}': {plugins.near(target, _own_names(module))}")
        found = getattr(found, part)
    home = written.module if written.file is None else written.file.name
    point = EntryPoint(title_of(name), f"{module.__name__}:{target}", plugins.METHODS)
    return NamedFactory(title_of(name), _factory(found, f"{written.home}:{target}"), f"{home}:{target}", point)


def _parts(name: str) -> _Written | None:
    """The parts of a name, None for an entry point's. Only the last colon separates: paths may have others."""
    if name in plugins.installed(plugins.METHODS):
        return None
    if name.endswith(_SUFFIX):
        return _Written(Path(name).expanduser(), "", "")
    home, colon, target = name.rpartition(":")
    if colon and home.endswith(_SUFFIX):
        return _Written(Path(home).expanduser(), "", target)
    is_dotted = all(part.isidentifier() for part in (*home.split("."), *target.split(".")))
    return _Written(None, home, target) if colon and is_dotted else None


def _module(name: str) -> ModuleType:
    """A module by its name; installed packages come before the current folder."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # somebody's code may raise anything, even SystemExit
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            above = sys.modules.get(error.name.rpartition(".")[0])
            where = f" in {path}" if (path := getattr(above, "__file__", None)) else ""
            raise UsageError(
                f"there is no module {error.name}{where}; a file is named by its path, ./FILE.py"
            ) from None
        raise RisbenchError(f"{name} cannot be imported: {described(error)}") from error


def _only(module: ModuleType, home: str) -> str:
    """The name of a file's `make`, else of its only class with ``predict``."""
    if callable(getattr(module, _MAKE, None)):
        return _MAKE
    classes = [name for name, item in _items(module) if _is_method_class(item)]
    classes = [name for name in classes if not name.startswith("_")] or classes
    if len(classes) == 1:
        return classes[0]
    if classes:
        listed = ", ".join(classes)
        raise UsageError(f"{home} has no `make`, and more than one class with predict ({listed}): write {home}:NAME")
    raise UsageError(f"{home} has no function `make` and no class with predict(image, texts)")


def _items(module: ModuleType) -> list[tuple[str, Any]]:
    """The classes and functions that a module itself defines."""
    return [
        (name, item)
        for name, item in vars(module).items()
        if (inspect.isclass(item) or inspect.isfunction(item)) and item.__module__ == module.__name__
    ]


def _own_names(module: ModuleType) -> list[str]:
    return [name for name, _ in _items(module) if not name.startswith("_")]


def _is_method_class(item: Any) -> bool:
    is_model = inspect.isabstract(item) or getattr(item, "_is_protocol", False)
    return inspect.isclass(item) and callable(getattr(item, "predict", None)) and not is_model


def _factory(found: Any, place: str) -> Callable[..., Any]:
    has_predict = callable(getattr(found, "predict", None))
    if inspect.isclass(found) and not has_predict:
        raise UsageError(f"{place} is a class without predict(image, texts), which every method has")
    if has_predict and not inspect.isclass(found):
        return lambda: found  # an object that is made already
    if not callable(found):
        raise UsageError(f"{place} is {type(found).__name__}, neither a method nor a function that makes one")
    return found
