"""Write a drawn split in REFER's form: once, and completely or not at all.

The folder is written under a temporary name and then renamed, under a lock. A second process waits and then uses it.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from ...errors import DataError, UsageError
from ...machine import processors
from .entries import CATEGORIES
from .splits import SPLITS, VERSION

Progress = Callable[[int, int], object]

_MOST_WORKERS = 16
_WORTH_A_WORKER = 25  # pictures: starting a worker takes as long as drawing these


def folder_of(split: str, root: str | Path) -> Path:
    """The folder of a split below a root; it need not exist.

    Raises:
        UsageError: no such split.
    """
    if split not in SPLITS:
        raise UsageError(f"no drawn split {split!r}: there are {', '.join(SPLITS)}")
    return Path(root) / f"shapes-v{VERSION}" / split


def write_split(split: str, root: str | Path, progress: Progress | None = None) -> Path:
    """Draw a split, unless it exists already.

    Args:
        split: ``train``, ``val`` or ``test``.
        root: the folder for ``shapes-v<VERSION>/<split>/``.
        progress: called with the number of finished images and of all images.

    Returns:
        The split's folder: ``images/``, ``instances.json``, ``refs(drawn).p``.

    Raises:
        UsageError: no such split.
        DataError: the folder cannot be written.
    """
    home = folder_of(split, root)
    try:
        if is_whole(home):
            return home
        home.parent.mkdir(parents=True, exist_ok=True)
        with _locked(home.parent / f"{split}.lock"):
            if not is_whole(home):
                _make(split, SPLITS[split].images, home, progress)
    except OSError as fault:
        reason = f"cannot write the drawn scenes to {home}: {fault}"
        raise DataError(f"{reason}; set RISBENCH_CACHE to a writable folder") from fault
    return home


def is_whole(home: Path) -> bool:
    """Whether a split's folder is complete."""
    return all((home / name).exists() for name in ("images", "instances.json", "refs(drawn).p"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield


def _make(split: str, count: int, home: Path, progress: Progress | None) -> None:
    marker = f".{split}-unfinished-"
    for left in home.parent.glob(f"{marker}*"):  # by a writer that was killed; the lock says that it is gone
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=marker, dir=home.parent))
    try:
        draft.chmod(0o755)
        (draft / "images").mkdir()
        entries = _drawn(split, draft / "images", count, progress or (lambda done, total: None))
        entries.sort(key=lambda entry: entry["image"]["id"])
        instances = {
            "info": {"description": f"risbench drawn scenes, {split}", "version": str(VERSION)},
            "images": [entry["image"] for entry in entries],
            "annotations": [annotation for entry in entries for annotation in entry["annotations"]],
            "categories": CATEGORIES,
        }
        refs = [ref for entry in entries for ref in entry["refs"]]
        (draft / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
        (draft / "refs(drawn).p").write_bytes(pickle.dumps(refs, protocol=2))
        if home.exists():  # something is missing in it
            home.rename(draft.with_name(draft.name + "-old"))
            shutil.rmtree(draft.with_name(draft.name + "-old"), ignore_errors=True)
        draft.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _drawn(split: str, folder: Path, count: int, progress: Progress) -> list[dict[str, Any]]:
    """The entries of every image, in arbitrary order."""
    workers = max(1, min(processors(), _MOST_WORKERS, count // _WORTH_A_WORKER))
    entries: list[dict[str, Any]] = []
    counting = Lock()

    def gather(line: str) -> None:
        # A separate decoder, because threads with a common one may share keys, and then the pickle's bytes would vary.
        entry = json.JSONDecoder().decode(line)
        with counting:
            entries.append(entry)
            progress(len(entries), count)

    running = [_start(split, folder, first, workers, count) for first in range(workers)]
    with ExitStack() as closing, ThreadPoolExecutor(workers) as readers:
        for worker in running:
            closing.callback(worker.communicate)
        try:
            # If one fails, the others are not waited for.
            ended, _ = wait([readers.submit(_read, each, gather) for each in running], return_when=FIRST_EXCEPTION)
            for one in ended:
                one.result()
        finally:  # inside the pool: its end waits for the readers, which wait for the workers
            for worker in running:
                worker.kill()
    if len(entries) != count:
        raise DataError(f"the drawn split {split!r} has {len(entries)} pictures of {count}")
    return entries


def _start(split: str, folder: Path, first: int, step: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "risbench.datasets.shapes.worker", split, str(folder)]
    # The caller may have found this package only through sys.path.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place or str(Path.cwd()) for place in sys.path)}
    return subprocess.Popen(
        [*command, str(first), str(step), str(count)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _read(worker: subprocess.Popen[str], gather: Callable[[str], None]) -> None:
    if worker.stdout is None or worker.stderr is None:
        raise DataError("a worker was started without pipes")
    for line in worker.stdout:
        gather(line)
    message = worker.stderr.read().strip()
    if worker.wait() != 0:
        reason = message.splitlines()[-1] if message else f"ended with {worker.returncode}"
        raise DataError(f"drawing scenes failed: {reason}")
