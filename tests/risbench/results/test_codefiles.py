"""The files of a package's code are those that a plain walk finds, and are read again when they change."""

from __future__ import annotations

import hashlib
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import risbench
from risbench.results.codefiles import digest_of, files_below


def _plain_walk(folder: Path, without: tuple[str, ...] = ()) -> dict[str, Path]:
    """The definition, written apart."""
    found = {}
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        above = [folder.joinpath(*inner.parts[: n + 1]) for n in range(len(inner.parts) - 1)]
        if (
            path.is_file()
            and path.name.endswith((".py", *EXTENSION_SUFFIXES))
            and not any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
            and not any(one.is_symlink() or (one / "pyvenv.cfg").exists() for one in above)
            and (len(inner.parts) == 1 or inner.parts[0] not in without)
        ):
            found[f"{folder.name}/{inner.as_posix()}"] = path
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with everything that may lie below one."""
    folder = tmp_path / "pack"
    for name in (
        "__init__.py", "a.py", "deep/er/b.py", f"deep/c{EXTENSION_SUFFIXES[0]}", "data.txt", ".hidden.py", ".git/d.py",
        "__pycache__/e.py", "env/pyvenv.cfg", "env/lib/f.py", "left/g.py", "deep/left/h.py", "é 'q'.py", "odd.py/i.py",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "j.py").write_text("")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "circle").symlink_to(folder)
    (folder / "link.py").symlink_to(tmp_path / "elsewhere" / "j.py")
    (folder / ".#lock.py").symlink_to("nobody@nowhere")
    (folder / "broken.py").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.py")
    return folder


@pytest.mark.parametrize("without", [(), ("left",)])
def test_files_are_those_of_a_plain_walk(package: Path, without: tuple[str, ...]):
    found = {file.name: Path(file.path) for file in files_below(package, without)}
    assert found == _plain_walk(package, without)
    assert {"pack/a.py", "pack/deep/er/b.py", "pack/link.py", "pack/odd.py/i.py", "pack/deep/left/h.py"} <= set(found)
    assert ("pack/left/g.py" in found) == (not without)


def test_so_are_those_of_risbench():
    folder = Path(risbench.__file__).parent
    assert {file.name: Path(file.path) for file in files_below(folder)} == _plain_walk(folder)


def test_the_digest_is_of_names_and_contents_as_they_are_now(package: Path):
    for content in ("first", "other"):
        (package / "a.py").write_text(content)
        files = sorted(files_below(package), key=lambda file: file.name)
        whole = b"".join(
            os.fsencode(file.name) + b"\0" + hashlib.sha256(Path(file.path).read_bytes()).digest() for file in files
        )
        assert digest_of(files) == hashlib.sha256(whole).hexdigest()
