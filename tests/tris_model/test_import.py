"""What importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tris_model


def test_importing_tris_model_and_its_entry_point_brings_no_torch() -> None:
    code = (
        "import sys, tris_model, tris_model.method; print(tris_model.method.make.card['grade']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'open_clip', 'pandas', 'matplotlib')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "native"), done.stderr


def test_the_public_names_are_there_and_others_are_not() -> None:
    for name in tris_model.__all__:
        assert getattr(tris_model, name) is not None
        assert name in dir(tris_model)
    with pytest.raises(AttributeError, match="nothing"):
        tris_model.nothing  # noqa: B018 # pyright: ignore
