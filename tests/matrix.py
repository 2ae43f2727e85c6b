"""`make test-matrix`: the tests with the oldest versions that pyproject.toml allows, the newest, and newer Pythons.

Every environment has a folder of its own beside `.venv`, which is left alone. Arguments go on to pytest::

    make test-matrix ONLY="oldest 3.12" ARGS="tests/risbench/metrics -k resize"

`oldest` and `newest` run on the oldest Python allowed that this machine has, `3.12` and so on with the newest versions.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
_LAST_MINOR = 20


class Environment(NamedTuple):
    """Its name, the interpreter that it is made with, and how uv chooses among the versions allowed."""

    name: str
    python: str
    resolution: str

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return TOP / f".venv-{self.name}"


class Result(NamedTuple):
    """What came of an environment: its versions, pytest's closing line and exit code."""

    name: str
    versions: str
    closing: str
    code: int


def environments() -> Iterator[Environment]:
    """All that this machine can run, the oldest first."""
    pythons = dict(_pythons())
    if not pythons:
        sys.exit("test-matrix: found no Python that pyproject.toml allows")
    oldest = min(pythons)
    yield Environment("oldest", pythons[oldest], "lowest-direct")
    yield Environment("newest", pythons[oldest], "highest")
    for minor in sorted(set(pythons) - {oldest}):
        yield Environment(f"3.{minor}", pythons[minor], "highest")


def _pythons() -> Iterator[tuple[int, str]]:
    """Minor version and interpreter: of the search path, or of pyenv."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first = int(project["requires-python"].removeprefix(">=3."))
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for minor in range(first, _LAST_MINOR + 1):
        on_path = shutil.which(f"python3.{minor}")
        for python in [*([on_path] if on_path else []), *map(str, sorted(kept.glob(f"3.{minor}.*/bin/python")))]:
            # What pyenv puts on the path may be a stand-in for a version that is switched off.
            words = [python, "-c", "import sys; sys.stdout.write(str(sys.version_info[1]))"]
            if subprocess.run(words, capture_output=True, text=True).stdout == str(minor):
                yield minor, python
                break


def made(one: Environment) -> str | None:
    """Make or renew an environment; the reason if that fails."""
    venv = ["uv", "venv", "--quiet", "--allow-existing", "--no-python-downloads", "--python", one.python, one.folder]
    install = ["uv", "pip", "install", "--quiet", "--upgrade", "--resolution", one.resolution, "--python", one.folder]
    for words in (venv, [*install, "--editable", TOP, "--group", f"{TOP / 'pyproject.toml'}:dev"]):
        done = subprocess.run([str(word) for word in words], cwd=TOP, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return f"cannot be made: {' '.join(done.stderr.split())[-2000:]}"
    return None


def tested(one: Environment, arguments: Sequence[str]) -> Result:
    """Run the tests in an environment, and show what pytest prints."""
    print(f"\n=== {one.name}: {one.folder.name}, {one.python}, --resolution {one.resolution}", flush=True)
    if reason := made(one):
        return Result(one.name, "", reason, 1)
    python = str(one.folder / "bin" / "python")
    versions = subprocess.run(
        [python, "tests/helpers/versions.py"], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True
    )
    closing = ""
    words = [python, "-m", "pytest", "-n", "2", *arguments]
    with subprocess.Popen(words, cwd=TOP, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            closing = line.strip() or closing
    return Result(one.name, versions.stdout.rstrip(), closing, running.returncode)


def main() -> int:
    """Run all, and end with a summary; the code is 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, as in: oldest newest 3.12")
    parser.add_argument("arguments", nargs="*", help="of pytest, after --")
    given = parser.parse_args()
    if shutil.which("uv") is None:
        print("test-matrix: needs uv, which alone can choose the oldest versions: `pip install uv`", file=sys.stderr)
        return 2
    found = {one.name: one for one in environments()}
    if unknown := set(given.only.split()) - set(found):
        print(f"test-matrix: no {', '.join(sorted(unknown))} here; there are {', '.join(found)}", file=sys.stderr)
        return 2
    results = [tested(found[name], given.arguments) for name in found if name in (given.only.split() or found)]
    print("\n=== test-matrix")
    for result in results:
        print(f"{result.name}: {'passed' if result.code == 0 else 'FAILED'}\n{result.versions}\n  {result.closing}")
    return int(any(result.code for result in results))


if __name__ == "__main__":
    sys.exit(main())
