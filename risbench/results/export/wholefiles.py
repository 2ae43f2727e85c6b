"""Several files that are written together, all whole or none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ...io import atomic, plainfiles
from ..jsonlines import full


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Files that take their places together when all are written; if anything fails, none does, nor does a new folder.

    Args:
        paths: the files, in one folder, which is made.

    Raises:
        RisbenchError: a file cannot be written.
    """
    folder = paths[0].parent
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for path in paths:
                atomic.sweep_parts(folder, path.name)
            drafts = [stack.enter_context(atomic.drafted(path)) for path in paths]
            with ExitStack() as opened:
                files = [opened.enter_context(plainfiles.open_to_write(draft, "create")) for draft in drafts]
                yield files
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
    except BaseException as error:
        for each in new:
            with suppress(OSError):
                each.rmdir()
        if isinstance(error, OSError):
            raise full(folder, error) from error
        raise
