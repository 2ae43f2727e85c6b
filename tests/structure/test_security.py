"""No line of the product loads what a stranger wrote in a way that could run it; the calls themselves are looked at."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[2]
_PACKAGES = ("risbench", "baselines", "tris_model", "reports")
_FILES = sorted(file for package in _PACKAGES for file in (_TOP / package).rglob("*.py"))
# What is never called, by the end of its dotted name.
_NEVER = (
    "pickle.load", "pickle.loads", "cPickle.load", "cPickle.loads", "pickle.Unpickler", "dill.load", "dill.loads",
    "cloudpickle.load", "cloudpickle.loads", "joblib.load", "marshal.load", "marshal.loads", "shelve.open",
    "pandas.read_pickle", "pd.read_pickle", "torch.jit.load", "torch.package.PackageImporter", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen", "np.lib.format.read_array",
)  # fmt: skip
_BARE = ("eval", "exec", "compile", "__import__")
# Python's unpickler is named in one file, which bounds it; all others take it from there.
_BOUNDED = "risbench/datasets/annotations/bounded.py"
# What a plain search over lines, comments and docstrings included, is not to find.
_WORDS = re.compile(
    r"pickle\.loads?\b|allow_pickle\s*=\s*True|(?<![.\w])(?<!def )(?:eval|exec)\(|extractall|yaml\.load|jit\.load"
    r"|joblib|shell\s*=\s*True"
)


def faults_in(source: str, name: str = "x.py") -> list[str]:
    """The unsafe calls of a program text, as ``file:line: what``."""
    return [
        f"{name}:{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _faults(node, source, name)
    ]


def _faults(node: ast.AST, source: str, name: str) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "cPickle", "marshal", "dill", "joblib", "yaml"):
        yield f"imports names out of {node.module}, where they cannot be searched for"
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            if alias.name in ("joblib", "dill", "cloudpickle", "marshal", "shelve", "yaml"):
                yield f"imports {alias.name}"
            if alias.asname and alias.name in ("pickle", "torch", "subprocess"):
                yield f"renames {alias.name}"
    if isinstance(node, ast.Attribute) and node.attr in ("Unpickler", "_Unpickler") and name != _BOUNDED:
        yield "names Python's unpickler"
    if not isinstance(node, ast.Call):
        return
    called = _dotted(node.func)
    line = source.splitlines()[node.lineno - 1]
    keywords = {key.arg: key.value for key in node.keywords}
    if any(called == never or called.endswith("." + never) for never in _NEVER):
        yield f"calls {called}"
    if called in _BARE or (called.startswith("builtins.") and called.partition(".")[2] in _BARE):
        yield f"calls {called}"
    if called.endswith(("torch.load", "torch.hub.load", "torch.hub.load_state_dict_from_url")):
        only = keywords.get("weights_only")
        if not (isinstance(only, ast.Constant) and only.value is True and "weights_only=True" in line):
            yield f"{called} without weights_only=True on its line"
    if called.endswith(("np.load", "numpy.load")) and "allow_pickle=False" not in line:
        yield f"{called} without allow_pickle=False on its line"
    for key in ("allow_pickle", "shell"):
        if key in keywords and not (isinstance(keywords[key], ast.Constant) and keywords[key].value is False):  # type: ignore[attr-defined]
            yield f"{called} with {key}"
    if called.endswith(".extractall") or called.endswith("shutil.unpack_archive"):
        yield f"calls {called}: take members out one by one"
    if called.endswith(".extract") and "filter=" not in line:
        yield f"{called} without filter= on its line"
    if called.endswith("add_safe_globals"):
        yield f"calls {called}"


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def test_no_file_of_the_product_loads_what_could_run():
    assert len(_FILES) > 150
    found = [fault for file in _FILES for fault in faults_in(file.read_text("utf-8"), str(file.relative_to(_TOP)))]
    assert found == []


def test_a_plain_search_finds_no_such_call_either():
    for file in _FILES:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            where = f"{file.relative_to(_TOP)}:{number}: {line}"
            assert not _WORDS.search(line), where
            assert "torch.load(" not in line or "weights_only=True" in line, where


@pytest.mark.parametrize(
    "line",
    [
        "import pickle\npickle.load(f)",
        "import pickle\npickle.loads(b'')",
        "import pickle as p",
        "from pickle import load",
        "import pickle\npickle.Unpickler(f).load()",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "torch.load(f, weights_only=asked)",
        "torch.load(\n    f,\n    weights_only=True,\n)",
        "torch.jit.load(f)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=yes)",
        "np.lib.format.read_array(f, allow_pickle=True)",
        "eval(text)",
        "exec(text)",
        "import builtins\nbuiltins.eval(text)",
        "zipfile.ZipFile(f).extractall(d)",
        "tar.extractall(d, filter='data')",
        "tar.extract(member, d)",
        "shutil.unpack_archive(f, d)",
        "yaml.load(f)",
        "import joblib",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "torch.serialization.add_safe_globals([C])",
    ],
)
def test_each_of_these_would_be_found(line: str):
    assert faults_in(line)


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(f, map_location='cpu', weights_only=True)",
        "np.load(f, allow_pickle=False)",
        "tar.extract(member, d, filter='data')",
        "network.eval()",
        "json.loads(text)",
        "re.compile(text)",
        "'pickle.load(f) is not called'",
        "# eval(text)",
        "subprocess.run(['git'], check=True)",
    ],
)
def test_none_of_these_is(line: str):
    assert faults_in(line) == []
