"""The names that `import risbench` provides, and the libraries that it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import risbench

HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "scipy", "cv2", "PIL", "pycocotools", "rich", "open_clip")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def heavy_after(code: str) -> str:
    return python(f"import sys\n{code}\nprint([name for name in {HEAVY!r} if name in sys.modules])")


def test_importing_the_package_imports_nothing_heavy():
    assert heavy_after("import risbench") == "[]"
    assert heavy_after("import risbench; assert 'numpy' not in sys.modules") == "[]"


def test_asking_for_help_imports_nothing_heavy():
    code = """
sys.argv = ["risbench", "--help"]
from risbench.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
"""
    assert heavy_after(code).splitlines()[-1] == "[]"


def test_there_are_at_most_25_public_names_and_each_is_there():
    assert len(risbench.__all__) <= 25
    for name in risbench.__all__:
        assert getattr(risbench, name) is not None
        assert name in dir(risbench)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'risbench' has no attribute 'scores'"):
        risbench.scores  # noqa: B018


@pytest.mark.parametrize("home", ["scoring.predictions", "running.shards", "running.evaluation"])
def test_the_public_functions_are_functions_whichever_module_is_imported_first(home: str):
    for start in ("from risbench import score, merge, evaluate", f"import risbench.{home}"):
        kinds = "print([type(f).__name__ for f in (evaluate, merge, score)])"
        assert python(f"{start}\nfrom risbench import evaluate, merge, score\n{kinds}") == str(["function"] * 3)
