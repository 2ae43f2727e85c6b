"""The settings for a GPU, tested without one: precision of products, synchronisation, and order of sums."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.joined import made
from helpers.training import TOWERS, clip_file, recipe, refer_tree
from helpers.weight_recipe import filled
from test_towers import RECIPE
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from risbench.plugins import METHODS, load
from risbench.running.cost import Stopwatch
from tris_model import devices, make
from tris_model.devices import add_rows, computing, float32_switches
from tris_model.irn.lattice import Lattice
from tris_model.irn.masks import refine
from tris_model.irn.network import EdgeDisplacement
from tris_model.irn.trunks import ClipTrunk
from tris_model.network.stage1 import Stage1
from tris_model.tiny_clip import trainer
from tris_model.tiny_clip.train import fit
from tris_model.train import maps, stage1, tris, validation
from tris_model.train.maps import choose_all, choose_many
from tris_model.train.tris import train

CPU = torch.device("cpu")
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
PRODUCTS = ("convolution", "conv2d", "matmul", "mm", "addmm", "bmm", "baddbmm", "linear")


class Products(TorchDispatchMode):
    """Notes how torch's switches stand at every convolution and matrix product, forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: dict[str, set[tuple]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name.strip("_").removesuffix("_backward") in PRODUCTS or "pointwise" in name:
            self.observed.setdefault(name, set()).add(
                tuple(getattr(owner, key) for owner, key, _, _ in float32_switches())
            )
        return func(*args, **(kwargs or {}))

    def all_stood(self, precision: str) -> None:
        place = 3 if precision == "tf32" else 2
        wanted = {tuple(switch[place] for switch in float32_switches())}
        assert self.observed, "nothing was multiplied"
        assert all(found == wanted for found in self.observed.values()), (precision, self.observed)


@pytest.fixture(params=["float32", "tf32"])
def outside(request: pytest.FixtureRequest) -> Iterator[str]:
    """What the program had set before: it must not matter, and must be set again behind."""
    with computing(request.param):
        before = [getattr(owner, key) for owner, key, _, _ in float32_switches()]
        yield request.param
        assert [getattr(owner, key) for owner, key, _, _ in float32_switches()] == before


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_every_product_of_an_answer_is_computed_in_the_named_precision(
    weights: str, weights2: str, precision: Any, outside: str
) -> None:
    for file in (weights, weights2):
        method = make(weights=file, precision=precision)
        with Products() as products:
            method.predict(PICTURE, ["a dog", "the left cat"])
        products.all_stood(precision)
        assert any("conv" in name for name in products.observed)


def test_the_heads_that_compare_images_with_texts_count_too(weights2: str) -> None:
    method = make(weights=weights2, precision="float32")
    network: Any = method._network
    observed, read = [], network.compare
    network.compare = lambda *given: (observed.append(float32_switches()[0][0].fp32_precision), read(*given))[1]
    if not hasattr(float32_switches()[0][0], "fp32_precision"):
        pytest.skip("an older torch")
    method.predict(PICTURE, ["a dog"])
    assert observed == ["ieee"]


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_stage_1_learns_forwards_and_backwards_in_its_recipes_precision(
    tmp_path: Path, precision: Any, outside: str
) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    with Products() as products:
        stage1.fit(recipe(clip, epochs=1, precision=precision), tmp_path / "out", CPU, data)
    products.all_stood(precision)
    assert "convolution_backward" in products.observed
    with Products() as products:
        choose_all(tmp_path / "out/stage1.safetensors", str(clip), "refcoco_train", tmp_path / "out", CPU, data)
    products.all_stood("float32")


def test_irn_learns_and_analyses_in_its_precision(tmp_path: Path, outside: str) -> None:
    file, data = made(tmp_path)
    given: dict[str, Any] = {"out": tmp_path / "out", "device": "cpu", "data_root": data, "val": "none"}
    for stage in ("1", "maps"):
        train(file, stage=stage, **given)
    with Products() as products:
        train(file, stage="labels", **{**given, "pseudo.train.precision": "tf32"})
    exact, rounded = (tuple(switch[place] for switch in float32_switches()) for place in (2, 3))
    assert products.observed["convolution_backward"] == {rounded}
    assert rounded in products.observed["conv2d"]  # of the mean displacement
    assert set().union(*products.observed.values()) <= {exact, rounded}
    with Products() as products:
        train(file, stage="2", **{**given, "stage2.precision": "tf32"})
    products.all_stood("tf32")


def test_the_walk_analyses_images_in_float32(outside: str) -> None:
    trunk: Any = filled(Stage1(TOWERS)).backbone.visual
    network = EdgeDisplacement(ClipTrunk(trunk), 8).eval()
    heat = np.zeros(PICTURE.shape[:2], np.float32)
    heat[10:20, 10:20] = 1
    with Products() as products:
        refine(PICTURE, heat, network)
    products.all_stood("float32")


@pytest.mark.parametrize("name", ["clip_sim", "clip_gradcam", "clip_gae", "clip_es", "groupvit"])
def test_rivals_answer_in_float32(name: str, outside: str) -> None:
    if name == "groupvit":
        pytest.importorskip("transformers")
    method = load(METHODS, name)(weights="shapes")
    with Products() as products:
        method.predict(PICTURE, ["a red ring"])
    products.all_stood("float32")


def test_an_error_sets_the_switches_back() -> None:
    before = [getattr(owner, key) for owner, key, _, _ in float32_switches()]
    with pytest.raises(KeyError), computing("tf32"):
        raise KeyError
    assert [getattr(owner, key) for owner, key, _, _ in float32_switches()] == before


def test_torchs_switches_are_not_mixed_and_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for precision in ("tf32", "float32"):
            with computing(precision), computing("bf16"):
                pass
            assert torch.backends.cuda.matmul.allow_tf32 in (True, False)  # raises where old and new are mixed
            assert torch.backends.cudnn.allow_tf32 in (True, False)


def test_torch_before_2_9_has_one_switch_for_each_library(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)), cudnn=SimpleNamespace())
    old.cudnn.allow_tf32 = True  # torch's default
    monkeypatch.setattr(devices.torch, "backends", old)
    with computing("tf32"):
        assert (old.cuda.matmul.allow_tf32, old.cudnn.allow_tf32) == (True, True)
        with computing("float32"):
            assert (old.cuda.matmul.allow_tf32, old.cudnn.allow_tf32) == (False, False)
    assert (old.cuda.matmul.allow_tf32, old.cudnn.allow_tf32) == (False, True)


def test_a_response_under_bf16_is_no_bf16_number() -> None:
    network: Any = filled(Stage1(TOWERS))
    images, tokens = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(3, 20).long()
    tokens[:, 1], tokens[:, 2] = torch.tensor([320, 1929, 2368]), 49407
    own = torch.arange(3)
    with torch.no_grad():
        exact = network.attend(network.encode_cells(images), network.encode_text(tokens), own).response
        with torch.autocast("cpu", torch.bfloat16):
            found = network.attend(network.encode_cells(images), network.encode_text(tokens), own).response
    assert found.dtype == torch.float32
    assert not torch.equal(found, found.bfloat16().float())
    torch.testing.assert_close(found, exact, rtol=0.05, atol=0.05 * float(exact.abs().max()))


@contextmanager
def _slow_gpu(monkeypatch: pytest.MonkeyPatch, *modules: Any) -> Iterator[None]:
    """A clock that moves by ten seconds while one waits for the device, and else not at all."""
    clock = SimpleNamespace(now=0.0)
    fake = SimpleNamespace(perf_counter=lambda: clock.now)
    monkeypatch.setattr(devices, "synchronize", lambda device: setattr(clock, "now", clock.now + 10))
    for module in (devices, *modules):
        monkeypatch.setattr(module, "time", fake)
    yield


def test_the_speed_in_the_log_counts_the_devices_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    with _slow_gpu(monkeypatch, stage1, trainer):
        stage1.fit(recipe(clip, epochs=1), tmp_path / "one", CPU, data)
        fit(replace(RECIPE, centred=False), tmp_path / "two", CPU)
    lines = [json.loads(line) for line in (tmp_path / "one/stage1/log.jsonl").read_text().splitlines()]
    assert [line["images_per_second"] for line in lines] == [0.2, 0.2, 0.2]  # two images a step
    lines = [json.loads(line) for line in (tmp_path / "two/clip/log.jsonl").read_text().splitlines()]
    assert [line["images_per_second"] for line in lines] == [0.8] * 3 + [0.5] * 3


def test_every_stage_begins_with_a_peak_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(tris, "forget_peak", lambda device: events.append("reset"))
    parts = {name: lambda plan, device, name=name: events.append(name) for name in tris.STAGES}
    monkeypatch.setattr(tris, "_PARTS", parts)
    file, data = made(tmp_path)
    tris.train(file, out=tmp_path / "out", device="cpu", data_root=data)
    assert events == ["reset", "1", "reset", "maps", "reset", "labels", "reset", "2"]


def test_the_peak_in_cost_json_is_that_of_the_gpu_that_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks, reset = {"cuda:1": 700, 0: 5, 1: 700}, []
    cuda = torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    monkeypatch.setattr(cuda, "max_memory_allocated", lambda device=0: peaks[device])
    monkeypatch.setattr(cuda, "reset_peak_memory_stats", reset.append)
    assert Stopwatch("cuda:1").record(None)["peak_gpu_memory_bytes"] == 700
    assert Stopwatch().record(None)["peak_gpu_memory_bytes"] == 705  # an object may be anywhere
    assert reset == ["cuda:1", 0, 1]
    monkeypatch.setattr(cuda, "is_initialized", lambda: False)
    assert Stopwatch("cpu").record(None)["peak_gpu_memory_bytes"] is None


def test_a_validation_notes_the_device_that_it_ran_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "evaluate", lambda method, split, **named: named)
    monkeypatch.setattr(validation, "load_split", lambda *_: None)
    monkeypatch.setattr("tris_model.inference.predictor.Tris", lambda file, device: None)
    noted: Any = validation.validate(tmp_path / "weights", "shapes_val", tmp_path, torch.device("cuda:1"))
    assert noted["device"] == "cuda:1"


class Named(TorchDispatchMode):
    """Notes the names of operators that work on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if isinstance(args[0] if args else None, torch.Tensor) and args[0].device.type == "cuda":
            self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


UNORDERED = {"index_add_", "index_add", "scatter_add_", "scatter_add"}


def skip_if_a_fake_gpu_cannot_be_indexed() -> None:
    """Torch 2.6 asks the driver for the device when a tensor is indexed, also in its fake mode."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        try:
            _ = torch.zeros(2, device="cuda")[:, None]
        except RuntimeError:
            pytest.skip("an older torch, which needs a driver to index a tensor")


def test_sums_over_rows_have_an_order_on_a_gpu() -> None:
    skip_if_a_fake_gpu_cannot_be_indexed()
    with FakeTensorMode(allow_non_fake_inputs=True), Named() as named:
        target, rows = torch.zeros(4, 3, device="cuda"), torch.zeros(9, dtype=torch.int64, device="cuda")
        add_rows(target, rows, torch.ones(9, 3, device="cuda"))
        lattice: Any = Lattice.__new__(Lattice)  # building one reads values, which fake tensors have not
        lattice.vertices, lattice._vertex, lattice._weights = 4, rows[:, None], torch.ones(9, 1, device="cuda")
        lattice._neighbours = []
        lattice.filter(torch.ones(9, 2, device="cuda"))
    assert "index_put_" in named.names
    assert not named.names & UNORDERED
    values, rows = torch.randn(50, 3), torch.randint(0, 4, (50,))
    target = torch.zeros(4, 3)
    add_rows(target, rows, values)
    by_hand = torch.stack([values[rows == row].sum(0) for row in range(4)])
    torch.testing.assert_close(target, by_hand)
    other = torch.zeros(4, 3)
    other.index_put_((rows,), values, accumulate=True)  # what a GPU does
    torch.testing.assert_close(other, by_hand)


def test_the_choice_of_maps_adds_in_order_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple] = []
    monkeypatch.setattr(maps, "add_rows", lambda *given: (used.append(given), add_rows(*given)))

    class Judge:
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

        def encode_text(self, texts: list[str]) -> torch.Tensor:
            return torch.ones(len(texts), 3)

    choose_many(Judge(), 8, torch.rand(3, 3, 8, 8), torch.rand(3, 8, 8), torch.tensor([0, 0, 1]), ["a", "b", "c"])  # pyright: ignore
    assert len(used) == 1
