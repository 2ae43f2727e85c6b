"""What kind of object a file of ``torch.save`` holds, read from its beginning as text; nothing is unpickled."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
import zlib
from pathlib import Path

from risbench.errors import DataError

from .zips import members_of

_LEGACY = 0x1950A86A20F9469CFC6C  # the number that files of torch before 1.6 begin with
_HEAD = 4096  # bytes, in which the outermost object's class is named
# Objects that a file of weights alone begins with.
_DATA = ("collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")


def module_class(path: Path) -> str | None:
    """The class of the object that a file of ``torch.save`` holds, by its name in the file.

    Nothing is unpickled: the beginning of the file is read as text.

    Args:
        path: any file, or none.

    Returns:
        Such as ``torch.nn.parallel.data_parallel.DataParallel``; None for a dict of tensors, for a file of another kind
        and for one that cannot be read.
    """
    try:
        if members_of(path):
            with zipfile.ZipFile(path) as archive, archive.open(member_named(archive, "data.pkl")) as file:
                return _first_class(file.read(_HEAD))
        with path.open("rb") as file:
            head = io.BytesIO(file.read(2 * _HEAD))
        if not is_legacy(head):
            return None
        for _ in range(3):
            skip_pickle(head)
        return _first_class(head.read())
    except (DataError, OSError, ValueError, KeyError, StopIteration, EOFError, NotImplementedError):
        return None
    except (zipfile.BadZipFile, zlib.error, struct.error):  # of archives that are cut off or damaged
        return None


def member_named(archive: zipfile.ZipFile, name: str) -> str:
    """The first member of an archive with a name, in whatever folder; StopIteration if there is none."""
    return next(one for one in archive.namelist() if Path(one).name == name)


def skip_pickle(stream: io.BytesIO) -> int:
    """Where the pickle that begins at a stream's position ends; the stream stands there then. Nothing is unpickled."""
    for _ in pickletools.genops(stream):
        pass
    return stream.tell()


def is_legacy(stream: io.BytesIO) -> bool:
    """Whether a stream begins with the magic number, pickled in any protocol; its position stays."""
    place = stream.tell()
    try:
        return any(
            argument == _LEGACY for _, (code, argument, _) in zip(range(5), pickletools.genops(stream), strict=False)
        )
    finally:
        stream.seek(place)


def _first_class(head: bytes) -> str | None:
    """The first name in a pickle, if the object that it begins with is made by it."""
    words: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(head):
            if code.name in ("EMPTY_DICT", "EMPTY_LIST", "DICT", "LIST"):
                return None
            if code.name in ("GLOBAL", "STACK_GLOBAL"):
                found = str(argument).replace(" ", ".") if code.name == "GLOBAL" else ".".join(words[-2:])
                return None if found in _DATA else found
            if isinstance(argument, str):
                words.append(argument)
    except ValueError:  # the head ends within the pickle
        pass
    return None
