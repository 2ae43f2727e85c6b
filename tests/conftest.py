"""Fixtures of all tests: one cache, in which scenes are drawn once for all workers, and the tiny real data."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from helpers import versions
from helpers.commands import ask

__all__ = ["ask"]

# Hundreds of tests start a process. Where Python may not keep what it compiled (as in many containers), each of them
# compiles torch anew, which takes longer than the test. The workers of pytest-xdist begin after this, too.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Several tests run at once: with a thread for every core in each process, threads wait for one another and spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_INSTRUCTIONS = pytest.StashKey[set[str]]()

# No test pulls the plug, and thousands of files would wait for the disk. What a test starts as a process still waits.
os.fsync = lambda _: None

# Shared machines stall for longer than hypothesis waits, and a red CI must be one that anybody can see again. A check
# of health that measures time has no place here either.
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("risbench", _PATIENT, max_examples=40, derandomize=True)
# The same examples every day find nothing new; these are others each time.
hypothesis.settings.register_profile("torture", _PATIENT, max_examples=1000, database=None, print_blob=True)
hypothesis.settings.load_profile("risbench")


def pytest_collection_finish() -> None:
    """What was imported so far stays: without it, a collection of garbage looks through some million objects less."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Libraries count what they still hold at the end, and print it."""
    gc.unfreeze()
    if hasattr(session.config, "workeroutput") and "torch" in sys.modules:
        session.config.workeroutput["instructions"] = versions.instructions()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What a failure on another machine is compared with."""
    # The process that deals out the tests runs none; to import torch for this line would keep the others waiting.
    return versions.lines("what stands below the tests" if config.getoption("numprocesses", None) else None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What the processes that ran the tests found out; of one that died, nothing."""
    found = getattr(node, "workeroutput", {}).get("instructions")
    if found is not None:
        node.config.stash.setdefault(_INSTRUCTIONS, set()).add(found)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The rest of the header."""
    for found in sorted(config.stash.get(_INSTRUCTIONS, ())):
        terminalreporter.write_line(f"torch uses {found}")


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal() -> Iterator[None]:
    """Ctrl-C and SIGTERM are heard in every test and by every process that it starts, whoever started the tests.

    Under `nohup`, in the background of a script and in some CI systems SIGINT is ignored (or a signal is blocked), and
    processes inherit that. A handler set here is not inherited: a process then begins with the default.
    """
    with _signals({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}):
        yield


@pytest.fixture
def ignoring_ctrl_c(signals_as_in_a_terminal: None) -> Iterator[None]:
    """Processes begin as under `nohup` or in the background of a script: they ignore SIGINT."""
    with _signals({signal.SIGINT: signal.SIG_IGN}):
        yield


@contextmanager
def _signals(wanted: Mapping[signal.Signals, Any]) -> Iterator[None]:
    handlers = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # Under xdist each worker has a folder below the common one.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["RISBENCH_CACHE"] = str(folder)
    os.environ.pop("RISBENCH_DATA", None)
    return folder


@pytest.fixture(scope="session")
def mini() -> Path:
    """The authors' tiny copy, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "refcoco-mini"
    folder = Path(os.environ.get("RISBENCH_MINI", beside))
    if not folder.is_dir():
        pytest.skip("no refcoco-mini (set RISBENCH_MINI)")
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their number: an archive's hold the time, and workers must collect the same names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
