"""Whole networks that torch pickled: their tensors come out, and nothing of what the file names is run."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from risbench import DataError
from tris_model.files import module_class, read_module

CLASSES = ("their_model.Net",)


class Net(nn.Module):
    """A network of somebody's own class, with everything that a state dict keeps or leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.scale = nn.Parameter(torch.randn(2, 3).T, requires_grad=False)
        self.register_buffer("kept", torch.arange(3))
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.nothing: Any = None
        self.register_parameter("absent", None)
        self.tied = self.first[0]


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("their_model")
    module.Net = Net  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_model", module)
    monkeypatch.setattr(Net, "__module__", "their_model")
    return module


FORMS: tuple[dict[str, Any], ...] = (
    {}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False},
    {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
)  # fmt: skip


def saved(value: Any, path: Path, **how: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch: the source of a class made in a test is not found
        torch.save(value, path, **how)
    return path


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_networks_tensors_bear_the_names_of_its_state_dict(
    theirs: types.ModuleType, tmp_path: Path, wrapped: bool, how: dict[str, Any]
):
    torch.manual_seed(0)
    network = Net()
    path = saved(nn.DataParallel(network) if wrapped else network, tmp_path / "net.pth", **how)
    del sys.modules["their_model"]  # their program is not here
    outer = "torch.nn.parallel.data_parallel.DataParallel" if wrapped else "their_model.Net"
    assert module_class(path) == outer
    state = read_module(path, CLASSES, "the network")
    expected = network.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        assert state[key].dtype == value.dtype
        assert torch.equal(state[key], value), key


def test_a_class_that_is_not_listed_is_refused_by_name(theirs: types.ModuleType, tmp_path: Path):
    path = saved(Net(), tmp_path / "net.pth")
    with pytest.raises(
        DataError, match=r"names their_model\.Net, which is no part of X and might run code; nothing was"
    ):
        read_module(path, ("other.Net",), "X")


class Runs:
    """A pickle that would write a file."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.call = (function, given)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("place", ["attribute", "hook", "parameter", "state"])
def test_code_anywhere_in_the_file_is_refused_by_name_and_not_run(
    theirs: types.ModuleType, tmp_path: Path, place: str, how: dict[str, Any]
):
    network, mark = Net(), tmp_path / "ran"
    bad = Runs(os.system, f"touch {mark}")
    if place == "attribute":
        network.nothing = bad
    elif place == "hook":
        network.first[0]._forward_hooks = OrderedDict({3: bad})
    elif place == "parameter":
        network._parameters["more"] = bad  # type: ignore[assignment]
    else:
        network.__dict__["training"] = Runs(eval, "1")
    path = saved(network, tmp_path / "net.pth", **how)
    name = r"builtin\w*\.eval" if place == "state" else rf"{os.name}\.system"
    with pytest.raises(DataError, match=rf"it names (__)?{name}, which is no part of X and might run code"):
        read_module(path, CLASSES, "X")
    assert not mark.exists()


LINEAR = b"ctorch.nn.modules.linear\nLinear\n"


def archive(path: Path, program: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", program)
        file.writestr("net/version", "3\n")
    return path


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (LINEAR + b"(tRcbuiltins\ngetattr\n.", r"builtins\.getattr"),
        (b"\x80\x04\x8c\x08torch.nn\x8c\x0fModule.__call__\x93.", r"torch\.nn\.Module\.__call__"),
        (b"ctorch.serialization\nload\n.", r"torch\.serialization\.load"),
        (LINEAR + b"}(X\x01\x00\x00\x00aK\x01ub.", "sets the state of an object that has no state"),
        (LINEAR + b")\x81K\x05b.", "state is not a dict"),
        (LINEAR + b"(ccollections\nOrderedDict\n(]tR.", "a dict is made of something"),
        (LINEAR + b"(ctorch._utils\n_rebuild_parameter\n(K\x01tR.", "a parameter is made of something else"),
        (LINEAR + b"(ctorch._utils\n_rebuild_tensor_v2\n(]K\x00))tR.", "a tensor does not consist of numbers"),
        (b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ.", "broken"),
        (LINEAR + b")\x81\x82\x01b.", "data do not need"),
        (b"}.", "holds no pickled network"),
        (LINEAR + b")\x81}b.", "without a tensor"),
        (LINEAR + b")\x81", "broken"),
    ],
)
def test_hostile_and_broken_pickles_are_refused_in_a_line(tmp_path: Path, program: bytes, words: str):
    with pytest.raises(DataError, match=words) as caught:
        read_module(archive(tmp_path / "bad.pth", program), CLASSES, "X")
    assert "\n" not in str(caught.value)


def test_modules_without_end_and_tensors_larger_than_their_file_are_refused(theirs: types.ModuleType, tmp_path: Path):
    knot = Net()
    knot._modules["again"] = knot
    with pytest.raises(DataError, match=r"without end|more modules"):
        read_module(saved(knot, tmp_path / "knot.pth"), CLASSES, "X")
    tree = nn.Sequential()
    for _ in range(30):
        tree = nn.Sequential(tree, tree)
    with pytest.raises(DataError, match="more modules than a network"):
        read_module(saved(tree, tmp_path / "tree.pth"), CLASSES, "X")
    wide = Net()
    wide.kept = torch.zeros(1).expand(1 << 28)
    with pytest.raises(DataError, match=r"larger than the file|more numbers"):
        read_module(saved(wide, tmp_path / "wide.pth"), CLASSES, "X")


def test_other_files_are_no_modules(tmp_path: Path):
    state = saved(Net().state_dict(), tmp_path / "state.pth")
    nested = saved({"model": Net().state_dict()}, tmp_path / "nested.pth")
    old = saved(Net().state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    plain = tmp_path / "plain.pkl"
    plain.write_bytes(pickle.dumps({"a": 1}))
    cut = tmp_path / "cut.pth"
    cut.write_bytes(old.read_bytes()[:300])
    for path in (state, nested, old, plain, tmp_path / "absent.pth", tmp_path):
        assert module_class(path) is None, path
    with pytest.raises(DataError, match="holds no pickled network"):
        read_module(state, CLASSES, "X")
    for path in (plain, cut):
        with pytest.raises(DataError, match="holds no pickled network"):
            read_module(path, CLASSES, "X")


def test_a_legacy_file_whose_numbers_are_cut_or_claimed_larger_is_refused(theirs: types.ModuleType, tmp_path: Path):
    path = saved(Net(), tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(DataError, match="broken"):
        read_module(path, CLASSES, "X")
    stream = io.BytesIO(whole)
    for _ in range(3):
        pickle.load(stream)
    head = whole[: stream.tell()]
    program = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ\xff\xff\xff\x7fNtQ."
    )
    path.write_bytes(head + program + pickle.dumps(["0"]))
    with pytest.raises(DataError, match="larger than the file"):
        read_module(path, CLASSES, "X")
