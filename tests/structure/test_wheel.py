"""The wheel works where the checkout is not: built, unpacked elsewhere, called from elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("unpacked")
    _done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built), cwd=_TOP)
    (wheel,) = built.glob("*.whl")
    pip = ["uv", "pip"] if shutil.which("uv") else [sys.executable, "-m", "pip"]
    _done(*pip, "install", "--quiet", "--no-deps", "--target", str(target), str(wheel), cwd=built)
    return target


def _done(*words: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def _python(target: Path, code: str, *words: str, cwd: Path) -> str:
    return _done(sys.executable, "-c", code, *words, cwd=cwd, PYTHONPATH=str(target))


def test_the_wheel_holds_the_four_packages_and_nothing_else(unpacked):
    packages = {item.name for item in unpacked.iterdir() if item.is_dir() and not item.name.endswith(".dist-info")}
    assert packages - {"bin", "__pycache__"} == {"risbench", "baselines", "tris_model", "reports"}
    assert {file.suffix for file in unpacked.rglob("*") if file.is_file() and "pyc" not in file.suffix} >= {".py"}


def test_the_table_of_sources_lies_in_the_wheel(unpacked):
    assert (unpacked / "risbench/datasets/get/sources.json").is_file()


def test_the_packages_that_users_import_carry_their_types(unpacked):
    assert (unpacked / "risbench/py.typed").is_file()
    assert (unpacked / "tris_model/py.typed").is_file()


def test_what_is_imported_lies_in_the_wheel(unpacked, tmp_path):
    for package in ("risbench", "baselines", "tris_model", "reports"):
        found = _python(unpacked, f"import {package}; print({package}.__file__)", cwd=tmp_path)
        assert Path(found.strip()).is_relative_to(unpacked)


def test_the_command_line_runs_from_the_wheel(unpacked, tmp_path):
    main = (
        "import risbench, sys, pathlib; "
        f"assert pathlib.Path(risbench.__file__).is_relative_to({str(unpacked)!r}); "
        "from risbench.cli import main; main()"
    )
    names = {entry["name"] for entry in json.loads(_python(unpacked, main, "list", "methods", "--json", cwd=tmp_path))}
    assert {"centre", "oracle_box"} <= names
    words = ("run", "--method", "centre", "--split", "shapes_val", "--limit", "2", "--out", "run", "--json")
    assert json.loads(_python(unpacked, main, *words, cwd=tmp_path))["count"] > 0
    table = _python(unpacked, main, "report", "run", cwd=tmp_path)
    assert table.startswith("| Method | mIoU |")


def test_the_gallery_finds_its_style_and_scripts_in_the_wheel(unpacked):
    source, packed = _TOP / "reports" / "gallery", unpacked / "reports" / "gallery"
    pages = {file.name for file in source.iterdir() if file.suffix in (".html", ".css", ".js")}
    assert len(pages) == 8
    assert {file.name: file.read_bytes() for file in packed.iterdir() if file.name in pages} == {
        name: (source / name).read_bytes() for name in pages
    }


def test_the_box_with_its_card_and_the_recipes_lie_in_the_wheel(unpacked):
    kinds_of = {"weights": (".safetensors", ".json"), "recipes": (".toml",)}
    for package, (folder, kinds) in product(("tris_model", "baselines"), kinds_of.items()):
        source, packed = _TOP / package / folder, unpacked / package / folder
        shipped = {file.name: file.read_bytes() for file in source.iterdir() if file.suffix in kinds}
        assert shipped
        assert {file.name: file.read_bytes() for file in packed.iterdir() if file.suffix in kinds} == shipped
