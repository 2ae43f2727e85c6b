"""A method is one file: what ``./mine.py``, ``./mine.py:NAME`` and ``package.module:NAME`` mean."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask

from risbench import RisbenchError, UsageError, evaluate, load_split
from risbench.methods.factory import make
from risbench.methods.named import factory_of, refuse_unknown, title_of

Write = Callable[..., Path]

CLASS = """
import numpy as np
class {name}:
    card = {{"grade": "native", "supervision": "none"}}
    def __init__(self, share: float = {share}):
        self.share = share
    def predict(self, image, texts):
        return [np.arange(image.shape[0] * image.shape[1]).reshape(image.shape[:2])
                < self.share * image.shape[0] * image.shape[1]] * len(texts)
"""
MAKE_PLAIN = "def make():\n    return Upper()\n"
MAKE = "def make(*, share: float = 0.5):\n    return {name}(share)\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into a folder that is the current one; Python afterwards has the modules that it had before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def put(name: str, *parts: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(parts), encoding="utf-8")
        return path

    yield put
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


def _class(name: str = "Upper", share: float = 0.5) -> str:
    return CLASS.format(name=name, share=share)


def _share(name: str, **options: str) -> float:
    """The share of an image that a method marks."""
    method, _ = make(name, options=options)
    return float(method.predict(np.zeros((10, 10, 3), np.uint8), ["x"])[0].mean())


def test_a_file_means_its_make_else_its_only_class_and_a_name_any_of_them(write: Write):
    write("mine.py", _class("Upper"), _class("Lower", 0.25), MAKE.format(name="Upper"), "fixed = Lower(0.75)\n")
    write("only.py", _class("Upper", 0.125), "class Other:\n    pass\n")
    assert _share("./mine.py") == 0.5
    assert _share("mine.py:make", share="0.3") == 0.3
    assert _share("./mine.py:Lower") == 0.25
    assert _share(str(Path("mine.py").absolute()) + ":Lower", share="0.1") == 0.1
    assert _share("./mine.py:fixed") == 0.75  # an object that is a method already
    assert _share("only.py") == 0.13  # pixels are whole
    assert _share("only:Upper", share="1") == 1.0  # as a module, from the current folder


@pytest.mark.parametrize("name", ["my-method.py", "2026.py", "a.b.py", "random.py", "numpy.py", "a:b/m.py", "ä b.py"])
def test_any_name_of_a_file_works_and_takes_no_other_modules_place(write: Write, name: str):
    import random

    write(name, _class())
    assert _share(f"./{name}") == 0.5
    assert _share(f"./{name}:Upper") == 0.5
    assert sys.modules["random"] is random
    assert sys.modules["numpy"] is np


def test_modules_beside_the_file_and_relative_imports_of_a_package_are_found(write: Write):
    write("work/beside_it.py", "SHARE = 0.25\n")
    write("work/mine.py", "from beside_it import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    write("pack/__init__.py", "")
    write("pack/parts.py", "SHARE = 0.75\n")
    write("pack/mine.py", "from .parts import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    write("pack/within/__init__.py", "from ..parts import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    assert (_share("work/mine.py"), _share("pack/mine.py"), _share("pack.mine:make")) == (0.25, 0.75, 0.75)
    assert _share("pack/within/__init__.py") == 0.75
    assert title_of("pack/within/__init__.py") == "within"


def test_a_file_or_its_neighbour_that_was_changed_is_imported_again(write: Write):
    write("neighbour.py", "SHARE = 0.1\n")
    write("mine.py", "from neighbour import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    assert _share("mine.py") == 0.1
    first = factory_of("mine.py").make
    assert factory_of("./mine.py").make is first  # unchanged, so the same
    write("neighbour.py", "SHARE = 0.125 + 0.375\n")
    assert _share("mine.py") == 0.5
    write("mine.py", _class(share=0.2))
    assert _share("mine.py") == 0.2
    write("mine.py", "from neighbour import SHARE\n", "1 / 0\n")  # a try that fails leaves no old neighbour behind
    with pytest.raises(RisbenchError, match="ZeroDivisionError"):
        make("mine.py")
    write("neighbour.py", "SHARE = 0.7\n")
    write("mine.py", "from neighbour import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    assert _share("mine.py") == 0.7


def test_the_runs_of_a_file_are_called_after_it(write: Write):
    assert [title_of(name) for name in ("tris", "./a/mine.py", "./mine.py:make", "mine.py:Small", "a.mine:make")] == [
        "tris",
        "mine",
        "mine",
        "mine:Small",
        "mine",
    ]
    assert title_of("./tris.py") == "tris.py"  # another method is installed by this name
    assert title_of(r"C:\work\mine.py:make".replace("\\", "/")) == "mine"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "nine.py", "there is no file nine.py: did you mean 'mine.py'?"),
        ("", ".", "no method named '.'"),
        ("", "folder.py", "folder.py is not a file: a method is a file of Python"),
        ("", "mine", r"no method named 'mine': for the file write ./mine.py"),
        ("", "mine.py", r"mine.py has no function `make` and no class with predict\(image, texts\)"),
        ("", "mine.py:make", "mine.py has no 'make'"),
        ("def small():\n    pass\n", "mine.py:smal", "mine.py has no 'smal': did you mean 'small'?"),
        (
            _class("A") + _class("B"),
            "./mine.py",
            r"mine.py has no `make`, and more than one class with predict \(A, B\): write mine.py:NAME",
        ),
        ("class A:\n    pass\n", "mine.py:A", r"mine.py:A is a class without predict\(image, texts\)"),
        ("A = 7\n", "mine.py:A", "mine.py:A is int, neither a method nor a function that makes one"),
        ("def make():\n    return 7\n", "mine.py", "its factory mine.py:make returned int, which has no predict"),
        ("x = 1\ny = = 2\n", "mine.py", r"mine.py cannot be imported: SyntaxError: invalid syntax \(.*mine.py:2\)"),
        ("\nimport torchh\n", "mine.py", r"No module named 'torchh' \(.*mine.py:2 in <module>\)"),
        ("import sys\nsys.exit(0)\n", "mine.py", r"cannot be imported: SystemExit: 0 \(.*mine.py:2 in <module>\)"),
        ("from .a import b\n", "mine.py", "cannot be imported: ImportError: attempted relative import"),
        ("raise OSError('a\\nb')\n", "mine.py", r"cannot be imported: OSError: a b \(.*mine.py:1"),
        ("\0", "mine.py", "cannot be imported: SyntaxError: source code string cannot contain null bytes"),
        ("", "no_such_folder.mine:make", "there is no module no_such_folder; a file is named by its path"),
        ("import torchh\n", "mine:make", r"mine cannot be imported: ModuleNotFoundError: .*torchh"),
        ("", "mine.deeper:make", "there is no module mine.deeper in .*mine.py;"),
        (_class(), "mine.py", "has no option 'shares': did you mean 'share'?"),
    ],
)
def test_what_cannot_be_a_method_is_refused_in_one_line(write: Write, text: str, name: str, message: str):
    write("mine.py", text)
    Path("folder.py").mkdir()
    with pytest.raises(RisbenchError, match=message) as error:
        make(name, options={"shares": "1"} if "shares" in message else {})
    assert "\n" not in str(error.value)


def test_a_name_is_refused_without_importing_and_installed_names_come_first(write: Write):
    write("mine.py", "raise SystemExit\n")
    refuse_unknown("mine.py:make")
    for name in ("trisss", "nine.py", "tris:make:x y"):
        with pytest.raises(UsageError):
            refuse_unknown(name)
    write("tris.py", _class())
    assert factory_of("tris").place == "tris_model.method:make"


def test_the_header_has_the_files_hash_and_a_changed_file_is_refused(write: Write):
    write("helper_of_mine.py", "SHARE = 0.5\n")
    write("mine.py", "from helper_of_mine import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    split = load_split("shapes_val").first_images(1)
    run = evaluate("./mine.py", split, out="run")
    method, origin = run.header["method"], run.header["origin"]["method"]
    assert (method["name"], method["entry_point"]) == ("mine", "mine.py:make")
    assert (origin["files"], origin["code"]) == (2, "mine:make")
    assert evaluate(str(Path("mine.py").absolute()) + ":make", split, out="run").summary == run.summary
    for name, text in (("helper_of_mine.py", "SHARE = 0.25\n"), ("mine.py", _class(share=0.25) + MAKE_PLAIN)):
        before = Path(name).read_text(encoding="utf-8")
        write(name, text)
        with pytest.raises(UsageError, match="the code of the method was changed"):
            evaluate("./mine.py", split, out="run")
        assert evaluate("./mine.py", split, out="other", overwrite=True).summary["metrics"] != run.summary["metrics"]
        write(name, before)
    assert evaluate("./mine.py", split, out="run").summary == run.summary


def test_a_factory_that_gives_a_class_of_another_module_has_its_own_file_in_the_hash(write: Write):
    write("mine.py", "from baselines.floors.centre import make as centre\ndef make():\n    return centre()\n")
    split = load_split("shapes_val").first_images(1)
    first = evaluate("mine.py", split, out="run").header["origin"]["method"]["sha256"]
    write("mine.py", "from baselines.floors.centre import make as centre\n\ndef make():\n    return centre()\n")
    assert evaluate("mine.py", split, out="other").header["origin"]["method"]["sha256"] != first


def test_check_run_predict_and_list_take_a_file(write: Write, ask: Ask, tmp_path: Path):
    write("mine.py", "print('talk')\n", _class())
    scene = next(iter(load_split("shapes_val"))).image_path
    checked = ask("check", "./mine.py", "--images", 1, "--json")
    assert (checked.code, {one["holds"] for one in json.loads(checked.out)}) == (0, {True})
    run = ask("run", "--method", "./mine.py", "--split", "shapes_val", "--limit", 1, "--set", "share=1", "--json")
    assert json.loads(run.out)["method"] == "mine"
    assert [path.name for path in (tmp_path / "runs/shapes_val").iterdir()] == ["mine"]
    answer = json.loads(ask("predict", "--method", "mine.py", "--set", "share=0.5", scene, "x", "--json").out)
    assert answer["answers"][0]["share"] == pytest.approx(0.5, abs=0.01)
    listed = json.loads(ask("list", "methods", "./mine.py", "--json").out)
    assert (listed[0]["name"], listed[0]["entry_point"]) == ("mine", "mine.py:Upper")
    refused = ask("run", "--method", "./mine.py", "--split", "shapes_val", "--set", "shares=1", "--out", "x")
    assert (refused.code, "folder" in refused.err) == (2, False)  # before any work


def test_a_link_to_a_file_has_the_folder_of_its_target(write: Write):
    write("far/beside_far.py", "SHARE = 0.25\n")
    write("far/mine.py", "from beside_far import SHARE\n", _class(), "def make():\n    return Upper(SHARE)\n")
    Path("linked.py").symlink_to("far/mine.py")
    assert _share("./linked.py") == 0.25


def test_a_class_that_inherits_the_open_keywords_of_a_network_is_made_without_them(write: Write):
    base = "class Base:\n    def __init__(self, *args, **kwargs):\n        assert not args and not kwargs\n"
    own = "class Net(Base):\n    def predict(self, image, texts):\n        return [image[..., 0] == 0]\n"
    write("mine.py", base, own)
    assert _share("mine.py") == 1.0
    with pytest.raises(UsageError, match="takes no weights"):
        make("mine.py", weights="w.pt")
    with pytest.raises(UsageError, match="no option 'x': it has no options"):
        make("mine.py", options={"x": "1"})
