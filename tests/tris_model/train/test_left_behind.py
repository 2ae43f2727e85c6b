"""The files that a killed or failed training leaves, and the warnings about test splits."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.training import clip_file, recipe, refer_tree

from risbench.errors import DataError
from risbench.running import interrupts
from tris_model.files.checkpoint import write
from tris_model.train import inputs, stage1
from tris_model.train.loop import journal
from tris_model.train.loop.journal import Journal, interruptible
from tris_model.train.refs import Refs

CPU = torch.device("cpu")


def test_a_kill_before_the_first_state_doubles_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, file = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "keep", lambda self, step, *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stage1.fit(recipe(file), tmp_path / "out", CPU, data)
    (tmp_path / "out/stage1/state.pt.part").write_bytes(b"half")
    stage1.fit(recipe(file), tmp_path / "out", CPU, data)
    lines = (tmp_path / "out/stage1/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2, 3, 4, 5]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_full_disk_is_one_line_for_every_file_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary = Journal(tmp_path / "stage1")
    diary.log(0, loss=1.0)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal.plainfiles, "open_to_write", full)
    monkeypatch.setattr(journal, "replace", full)
    attempts = (
        lambda: diary.log(1, loss=1.0),
        lambda: diary.keep(1, "{}", dict, now=True),
        lambda: diary.forget(0),
        lambda: Journal(tmp_path / "stage1"),
    )
    for attempt in attempts:
        with pytest.raises(DataError, match="cannot be written: No space left on device"):
            attempt()
    assert not list(tmp_path.rglob("*.part"))


def test_weights_are_the_same_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    result = {f"key{number}": 'ä\n"x"' for number in range(12)}
    state = {"b": torch.ones(3), "a": torch.zeros(2, 2)}
    for number in range(4):
        write(state, tmp_path / f"{number}.safetensors", result)
    assert len({(tmp_path / f"{number}.safetensors").read_bytes() for number in range(4)}) == 1


def test_one_ctrl_c_under_torchrun_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with interruptible() as stopping:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stopping()
        now = time.monotonic()
        monkeypatch.setattr(interrupts.time, "monotonic", lambda: now + journal.ONE_CTRL_C)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    monkeypatch.undo()
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with interruptible():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_text_in_other_letters_is_no_negative_of_itself() -> None:
    import numpy as np

    refs: Any = SimpleNamespace(
        refs=[SimpleNamespace(mates=(), texts=(text,)) for text in ("Red dog", "red  DOG", "a cat")]
    )
    assert set(Refs.negatives(refs, 0, "Red dog", 20, np.random.default_rng(0))) == {"a cat"}


def test_a_test_split_is_named_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    inputs.check_split("stage1.split", "shapes_test", None, "the training uses it")
    assert "stage1.split: shapes_test is a test split: the training uses it" in " ".join(
        capsys.readouterr().err.split()
    )
    inputs.check_split("stage1.split", "shapes_train", None, "the training uses it")
    assert "test split" not in capsys.readouterr().err
