"""Where a result comes from: program, versions, machine and time, recorded with every run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from ..machine import processors

_PACKAGES = (
    "risbench",
    "torch",
    "open_clip_torch",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pycocotools",
    "pillow",
)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)[ \t]*$", re.MULTILINE)


def provenance() -> dict[str, Any]:
    """The provenance of this process: command, UTC time, versions, commit, processor, and GPU if torch is in use."""
    return {
        "command": [_program(Path(sys.argv[0])), *sys.argv[1:]],
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := version_of(name))},
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": processors(),
            "gpu": _gpu(),
        },
    }


def _program(path: Path) -> str:
    """The name of the program: its file's, or for `python -m PACKAGE` the package's."""
    return path.parent.name if path.name == "__main__.py" else path.name


def version_of(name: str) -> str | None:
    """The version of an installed distribution; None if it is not installed."""
    # To look through all folders takes milliseconds for each name, and a process may begin thousands of runs.
    return _version(name, tuple((place, _changed(place)) for place in sys.path))


def _changed(place: str) -> int:
    """When something was last installed into a folder of ``sys.path``, or removed from it."""
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _version(name: str, places: tuple[tuple[str, int], ...]) -> str | None:
    """The version as long as the folders stay as they are; ``places`` is only the key of the cache."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    # The standard library reads the whole page about a package, several milliseconds each, to find this one line.
    head = (found.read_text("METADATA") or "").partition("\n\n")[0]
    stated = _VERSION.search(head)
    return found.version if stated is None else stated[1]


def _commit() -> str | None:
    """The commit of the checkout this file lies in, with ``+changes`` if it is not clean; None when installed."""
    top = Path(__file__).resolve().parents[2]
    if not (top / ".git").exists():
        return None
    try:
        # A run that is killed while git refreshes its index would leave the checkout locked.
        git = ["git", "--no-optional-locks", "-C", str(top), "status", "--porcelain=v2", "--branch"]
        done = subprocess.run([*git, "--untracked-files=no"], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    commit, lines = _status(done.stdout)
    return None if commit is None else commit + ("+changes" if lines else "")


def _status(printed: bytes) -> tuple[str | None, list[str]]:
    """The commit that ``git status`` names, None where nothing was committed yet, and its lines about files."""
    lines = printed.decode("utf-8", "replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    return None if commit == "(initial)" else commit, [line for line in lines if not line.startswith("#")]


@lru_cache(maxsize=256)
def commit_of(places: tuple[Path, ...], digest: str) -> str | None:
    """The commit of the repository that code lies in.

    Args:
        places: folders and files of the code.
        digest: of their content; it is only the key of the cache.

    Returns:
        The commit, with ``+changes`` if a code file differs from it or is not part of it; None if there is no
        repository or no git.
    """
    if not places:
        return None
    home = places[0].parent
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    words = ["--branch", "--untracked-files=all", "--ignored=matching", "--", *map(str, places)]
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(home), "status", "--porcelain=v2", *words],
            capture_output=True,
            timeout=5,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    commit, lines = _status(done.stdout)
    changed = any(_is_code(line.rstrip('"'), places) for line in lines)
    return None if commit is None else commit + ("+changes" if changed else "")


def _is_code(line: str, places: tuple[Path, ...]) -> bool:
    """Whether a line of ``git status`` is about code, or about an ignored folder that the code lies in."""
    if line.startswith("! ") and line.endswith("/"):
        return any(f"/{line[2:]}" in f"{place}/" for place in places)
    return line.endswith((".py", ".so"))


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
