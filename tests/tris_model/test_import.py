"""What importing costs, and which names are public."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import pytest

import tris_model

DOORS = ["tris_model", *(f"tris_model.{name}" for name in ("clip", "files", "irn", "tiny_clip", "train", "train.loop"))]


def test_importing_tris_model_and_its_entry_point_brings_no_torch() -> None:
    code = (
        f"import sys, tris_model.method, {', '.join(DOORS)}; print(tris_model.method.make.card['grade']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'open_clip', 'pandas', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "native"), done.stderr


@pytest.mark.parametrize("door", DOORS)
def test_the_public_names_are_there_and_others_are_not(door: str) -> None:
    package = importlib.import_module(door)
    for name in package.__all__:
        # A name that is also a module's would become that module as soon as anybody imports it.
        assert importlib.util.find_spec(f"{door}.{name}") is None
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="nothing"):
        package.nothing  # noqa: B018 # pyright: ignore


def test_the_old_name_of_fuse_for_inference_still_works_and_says_so() -> None:
    with pytest.warns(DeprecationWarning, match="now called tris_model.fuse_for_inference"):
        old = tris_model.quicken  # pyright: ignore[reportAttributeAccessIssue]
    assert old is tris_model.fuse_for_inference
