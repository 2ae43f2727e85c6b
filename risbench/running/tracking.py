"""Send what a training logs to TensorBoard or Weights & Biases, beside its own ``log.jsonl``.

``risbench train --log NAME`` opens the trackers; a trainer's journal calls `track` with each of its lines. A tracker
only reads the numbers: it changes neither the training nor its journal, whatever happens to it. If it fails, for
example because a server cannot be reached, one message says so and the training goes on without it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from ..errors import RisbenchError, UsageError
from ..plain import plain
from ..plugins import near

Tell = Callable[[str], object]


class Tracker(Protocol):
    """Receives the numbers of a training."""

    def add(self, stage: str, step: int, terms: Mapping[str, float]) -> None:
        """Take the numbers of one step of one stage."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


class TensorBoard:
    """Event files in ``OUT/tensorboard/STAGE``, for ``tensorboard --logdir OUT/tensorboard``."""

    def __init__(self, module: Any, out: Path) -> None:
        self._module, self._out = module, out
        self._writers: dict[str, Any] = {}

    def add(self, stage: str, step: int, terms: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        if stage not in self._writers:
            # A continued training does the steps since its last state again: older points from there on are hidden.
            folder = self._out / "tensorboard" / stage
            self._writers[stage] = self._module.SummaryWriter(str(folder), purge_step=step)
        for name, value in terms.items():
            self._writers[stage].add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is not written yet."""
        for writer in self._writers.values():
            writer.close()


class WeightsAndBiases:
    """One run in the project that ``WANDB_PROJECT`` names, else ``risbench``.

    A continued training adds a run to the group of its folder. wandb reads its other settings from the environment, as
    ``WANDB_MODE=offline``. Its files lie in ``OUT/wandb``.
    """

    def __init__(self, module: Any, out: Path, config: Mapping[str, Any]) -> None:
        self._module, self._out, self._config = module, out, dict(config)
        self._run: Any = None
        self._stages: set[str] = set()

    def add(self, stage: str, step: int, terms: Mapping[str, float]) -> None:
        """Take the numbers of one step."""
        if self._run is None:
            self._out.mkdir(parents=True, exist_ok=True)
            project = os.environ.get("WANDB_PROJECT", "risbench")
            name = self._out.absolute().name
            settings = {"console": "off"}  # wandb would put itself between the progress bar and the terminal
            self._run = self._module.init(
                project=project, group=name, dir=str(self._out), config=self._config, settings=settings
            )
        if stage not in self._stages:
            # Each stage counts its own steps.
            self._run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
            self._stages.add(stage)
        self._run.log({f"{stage}/step": step, **{f"{stage}/{name}": value for name, value in terms.items()}})

    def close(self) -> None:
        """Write what is not written yet."""
        if self._run is not None:
            self._run.finish()


# The module of each, and the extra of risbench that installs it.
_KNOWN: Mapping[str, str] = MappingProxyType({"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"})
NAMES = tuple(_KNOWN)


class _Session:
    def __init__(self, out: Path, trackers: Mapping[str, Tracker], tell: Tell) -> None:
        self.out, self.trackers, self.tell = out, dict(trackers), tell

    def each(self, do: Callable[[Tracker], None], what: str) -> None:
        """Call every tracker; one that fails is named and not called again."""
        state = random.getstate()  # a training may draw from Python's own generator, which libraries use too
        try:
            for name, tracker in list(self.trackers.items()):
                try:
                    do(tracker)
                except Exception as error:
                    del self.trackers[name]
                    reason = plain(f"{type(error).__name__}: {error}", 200)
                    self.tell(f"--log {name}: {what} failed ({reason}); the training goes on without it")
        finally:
            random.setstate(state)


_SESSION: ContextVar[_Session | None] = ContextVar("session", default=None)


@contextmanager
def tracking(names: tuple[str, ...], out: Path, config: Mapping[str, Any], tell: Tell) -> Iterator[None]:
    """A context in which `track` sends numbers to some trackers.

    Args:
        names: of `NAMES`; none is allowed.
        out: the training's folder.
        config: what W&B shows beside the curves, such as trainer and recipe.
        tell: called with a message if a tracker fails.

    Raises:
        UsageError: there is no such tracker.
        RisbenchError: its package is not installed; the message names the extra.
    """
    made = {name: _made(name, out, config) for name in dict.fromkeys(names)}
    session = _Session(out, made, tell)
    token = _SESSION.set(session)
    try:
        yield
    finally:
        _SESSION.reset(token)
        session.each(lambda tracker: tracker.close(), "writing the last numbers")


def track(folder: Path, step: int, line: Mapping[str, Any]) -> None:
    """Send a line of a training's journal to the trackers, if there are any.

    Args:
        folder: the folder of the journal; its path below the training's folder names the stage.
        step: the step of the line.
        line: its values; what is not a number is left out.
    """
    session = _SESSION.get()
    if session is None or not session.trackers:
        return
    stage = folder.name
    with suppress(ValueError):  # a journal that lies elsewhere keeps its own name
        below = folder.absolute().relative_to(session.out.absolute())
        stage = below.as_posix() if below.parts else stage
    terms = {key: float(value) for key, value in line.items() if type(value) in (int, float) and key != "step"}
    session.each(lambda tracker: tracker.add(stage, step, terms), f"logging step {step}")


def _made(name: str, out: Path, config: Mapping[str, Any]) -> Tracker:
    if name not in _KNOWN:
        raise UsageError(f"--log {name}: {near(name, NAMES)}")
    state = random.getstate()
    try:
        module = import_module(_KNOWN[name])
    except ImportError as error:
        missing = plain(str(error).splitlines()[0] if str(error) else type(error).__name__, 100)
        raise RisbenchError(f"--log {name} needs its package ({missing}): pip install 'risbench[{name}]'") from None
    except Exception as error:  # a package that does not fit the others here
        reason = plain(f"{type(error).__name__}: {error}", 200)
        raise RisbenchError(f"--log {name}: its package cannot be imported ({reason})") from None
    finally:
        random.setstate(state)
    return TensorBoard(module, out) if name == "tensorboard" else WeightsAndBiases(module, out, config)
