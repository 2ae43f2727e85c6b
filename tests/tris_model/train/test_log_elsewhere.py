"""A training whose curves are also sent to TensorBoard or W&B is the same training, whatever happens there."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.joined import made

from risbench import RisbenchError, UsageError
from risbench.cli import app
from risbench.running import tracking
from risbench.running.tracking import track

WORDS = ("train", "tris", "--recipe", "recipe.toml", "--data-root", "data", "--device", "cpu", "--stage", "1")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda out, *more: CliRunner().invoke(app, [*WORDS, "--set", "val=none", "--out", out, *more])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a TensorBoard writer was given, in order; it draws from Python's generator as a library may."""
    points: list[tuple[Any, ...]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            self.folder = folder
            points.append(("open", folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            random.random()
            points.append((self.folder, name, value, step))

        def close(self) -> None:
            points.append(("close", self.folder))

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return points


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def init(**given: Any) -> Any:
        calls.append(("init", given))
        return SimpleNamespace(
            define_metric=lambda name, step_metric: calls.append(("metric", name, step_metric)),
            log=lambda values: calls.append(("log", values)),
            finish=lambda: calls.append(("finish",)),
        )

    module = ModuleType("wandb")
    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return calls


def journal_of(out: str) -> list[dict[str, Any]]:
    """The journal without what the clock and the machine decide."""
    lines = [json.loads(line) for line in Path(out, "stage1/log.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "images_per_second", "memory")}
        for line in lines
    ]


def test_the_training_and_its_journal_are_the_same_and_every_number_arrives(call, board, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    plain, sent = call("plain"), call("sent", "--log", "tensorboard", "--log", "wandb")
    assert (plain.exit_code, sent.exit_code) == (0, 0), plain.output + sent.output
    assert Path("plain/stage1.safetensors").read_bytes() == Path("sent/stage1.safetensors").read_bytes()
    assert journal_of("plain") == journal_of("sent")
    lines = [json.loads(line) for line in Path("sent/stage1/log.jsonl").read_text().splitlines()]
    folder = str(Path("sent/tensorboard/stage1"))
    expected = [(folder, name, value, line["step"]) for line in lines for name, value in line.items() if name != "step"]
    assert board == [("open", folder, 0), *expected, ("close", folder)]
    assert wandb[0][1]["project"] == "mine"
    assert wandb[0][1]["config"]["recipe"] == "recipe.toml"
    assert wandb[1] == ("metric", "stage1/*", "stage1/step")
    logged = [{f"stage1/{key}": value for key, value in line.items()} for line in lines]
    assert [values for kind, *rest in wandb if kind == "log" for values in rest] == logged
    assert wandb[-1] == ("finish",)


def test_what_fails_there_is_one_message_and_the_training_goes_on(call, board, monkeypatch):
    writer = sys.modules["torch.utils.tensorboard"].SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setattr(writer, "add_scalar", lambda *_: (_ for _ in ()).throw(OSError("disk\nfull")))
    done = call("out", "--log", "tensorboard")
    assert done.exit_code == 0
    assert Path("out/stage1.safetensors").is_file()
    messages = [line for line in done.stderr.splitlines() if "--log" in line]
    assert messages == [
        "--log tensorboard: logging step 0 failed (OSError: disk full); the training goes on without it"
    ]


def test_a_missing_package_is_one_line_before_any_work(call, monkeypatch):
    for name, module in (("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")):
        monkeypatch.setitem(sys.modules, module, None)
        done = call("out", "--log", name)
        assert isinstance(done.exception, RisbenchError)
        assert f"pip install 'risbench[{name}]'" in str(done.exception)
        assert "\n" not in str(done.exception)
    done = call("out", "--log", "tensorbord")
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "--log tensorbord: did you mean 'tensorboard'?"
    assert not Path("out").exists()


def test_the_extras_are_those_that_the_messages_name():
    import tomllib

    text = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert set(tracking.NAMES) <= set(tomllib.loads(text)["project"]["optional-dependencies"])


def test_only_numbers_are_sent_and_only_inside_a_training(tmp_path: Path, board: list[Any]):
    track(tmp_path / "stage1", 1, {"loss": 1.0})
    with tracking.tracking(("tensorboard",), tmp_path, {}, print):
        state = random.getstate()
        track(
            tmp_path / "a" / "stage1", 7, {"step": 7, "loss": 0.5, "count": 3, "best": True, "name": "x", "none": None}
        )
        track(Path("/elsewhere/irn"), 2, {"loss": 0.25})
        assert random.getstate() == state
    first, second = str(tmp_path / "tensorboard/a/stage1"), str(tmp_path / "tensorboard/irn")
    assert board == [
        ("open", first, 7),
        (first, "loss", 0.5, 7),
        (first, "count", 3.0, 7),
        ("open", second, 2),
        (second, "loss", 0.25, 2),
        ("close", first),
        ("close", second),
    ]
