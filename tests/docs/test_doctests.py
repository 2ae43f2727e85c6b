"""Examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from helpers.small import small_split

from risbench.masks import union_of

TOP = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(TOP).with_suffix("").parts)
    for package in ("risbench", "tris_model", "baselines", "reports")
    for path in (TOP / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_there_are_examples():
    assert {"risbench.scorer", "baselines._words.classes"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_stands_there(name: str, tmp_path: Path):
    def mask_of(sample):
        return union_of(sample.parts, sample.size)

    made = {"split": small_split(tmp_path, 2), "mask_of": mask_of}
    found = doctest.testmod(importlib.import_module(name), extraglobs=made)
    assert found.attempted > 0
    assert found.failed == 0
