"""A disk that is full while a state or weights are written: one line with the file and the system's reason, nothing
half-written, and the same command goes on when there is room.

A file that may not grow stands for the full disk where a library writes by itself.
"""

from __future__ import annotations

import errno
import io
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.commands import Ask
from helpers.joined import made
from torch import nn

from risbench.errors import DataError
from risbench.io import plainfiles
from tris_model.files import checkpoint
from tris_model.irn import train as irn
from tris_model.train.loop.journal import Journal

NO_ROOM = os.strerror(errno.ENOSPC)


@contextmanager
def _files_of_at_most(most: int) -> Iterator[None]:
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)


class Full(io.BytesIO):
    """A file on a disk that has room for so many bytes."""

    room = 0

    def write(self, content: Any, /) -> int:
        if self.tell() + len(content) > self.room:
            raise OSError(errno.ENOSPC, NO_ROOM)
        return super().write(content)


def _state(folder: Path) -> None:
    Journal(folder).keep(3, "recipe", lambda: {"network": {"weight": torch.zeros(5000)}}, now=True)


def _irn(folder: Path) -> None:
    network: Any = type("Heads", (), {"heads": staticmethod(lambda: {"weight": torch.zeros(5000)})})
    optimiser = torch.optim.SGD(nn.Linear(2, 1).parameters(), 0.1)
    irn._save(folder / irn.CHECKPOINT, 1, {}, network, optimiser)


@pytest.mark.parametrize("room", [0, 5000, 15000])
@pytest.mark.parametrize(("write", "name"), [(_state, "state.pt"), (_irn, irn.CHECKPOINT)])
def test_no_room_for_a_state_is_said_in_the_systems_words_and_the_old_state_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, write: Callable[[Path], None], name: str
) -> None:
    write(tmp_path)
    before = (tmp_path / name).read_bytes()
    opened, full = plainfiles.open_to_write, Full()
    full.room = room
    monkeypatch.setattr(
        plainfiles, "open_to_write", lambda path, how: full if path.suffix == ".part" else opened(path, how)
    )
    fdopen = os.fdopen
    monkeypatch.setattr(
        os, "fdopen", lambda handle, *given, **named: (full, os.close(handle))[0] if write is _irn
        else fdopen(handle, *given, **named),
    )  # fmt: skip
    with pytest.raises(DataError) as caught:
        write(tmp_path)
    assert (
        str(caught.value) == f"{tmp_path / name} cannot be written: {NO_ROOM}; run the same command again to continue"
    )
    assert (tmp_path / name).read_bytes() == before
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_no_room_for_weights_is_said_in_the_systems_words(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    with _files_of_at_most(5000), pytest.raises(DataError) as caught:
        checkpoint.write({"weight": torch.zeros(5000)}, path, {})
    assert str(caught.value) == f"{path} cannot be written: {os.strerror(errno.EFBIG)}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error", [RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
              OSError(errno.ENOSPC, NO_ROOM)],
)  # fmt: skip
def test_the_systems_reason_is_found_in_the_words_of_others(error: Exception) -> None:
    assert checkpoint.reason_of(error) == NO_ROOM
    wrapped = RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 704 vs 598")
    wrapped.__context__ = error
    assert checkpoint.reason_of(wrapped) == NO_ROOM
    assert checkpoint.reason_of(RuntimeError("shapes\ndiffer")) == "shapes differ"


def test_a_training_without_room_ends_in_one_line_and_goes_on_after(tmp_path: Path, ask: Ask) -> None:
    made(tmp_path)
    words = ["train", "tris", "--recipe", "recipe.toml", "--data-root", "data", "--device", "cpu", "--stage", "1"]
    words += ["--set", "val=none", "--out", "out"]
    most = 20_000  # room for the log, not for the weights
    with _files_of_at_most(most):
        done = ask(*words)
    result = [line for line in done.err.splitlines() if line.startswith("risbench: ")]
    assert done.code == 1, done.err
    assert result == [f"risbench: out/stage1.safetensors cannot be written: {os.strerror(errno.EFBIG)}"], done.err
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".part", ".safetensors")]
    again = ask(*words)
    assert again.code == 0, again.err
    assert (tmp_path / "out/stage1.safetensors").is_file()
