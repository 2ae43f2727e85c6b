"""The house keeps its shape: floors stay small, nothing goes in circles, names are plain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import house
import pytest
from house import House

MOST_ROOMS = 20


@pytest.fixture(scope="module")
def measured() -> House:
    return House()


def test_no_floor_has_more_rooms_than_one_can_keep_in_mind(measured: House):
    assert [floor for floor in measured.floors() if floor.rooms > MOST_ROOMS] == []


def test_no_modules_import_one_another_in_a_circle_not_even_late(measured: House):
    assert measured.circles() == []


def test_a_module_holds_one_idea(measured: House):
    assert measured.long_modules() == {}


def test_what_one_neighbour_alone_reads_stands_in_the_neighbour(measured: House):
    assert measured.splinters() == {}


def test_no_two_classes_bear_one_name(measured: House):
    assert measured.shared_class_names() == {}


def test_names_are_plain_english(measured: House):
    assert measured.dialect() == {}


def test_circles_splinters_and_words_would_be_found(tmp_path: Path):
    package = tmp_path / "risbench"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("class Seen: ...\n\ndef said(): from . import b; return b\n")
    (package / "b.py").write_text("class Seen: ...\n\ndef read(): from .a import Seen; return Seen\n")
    (package / "c.py").write_text("from . import a\n" + "x = 1\n" * 400)
    for other in ("tris_model", "baselines", "reports"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "__init__.py").write_text("")
    words = [sys.executable, str(Path(house.__file__)), "--json", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    circles, long_modules, splinters, shared, dialect = list(json.loads(done.stdout).values())[1:]
    assert circles == [["risbench.a", "risbench.b"]]
    assert long_modules == {"risbench.c": 401}
    assert splinters == {"risbench.b": "risbench.a"}
    assert shared == {"Seen": ["risbench.a", "risbench.b"]}
    assert dialect == {"said": 1, "seen": 4}
