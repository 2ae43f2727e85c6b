"""The kinds of files that only reading with torch installed reads: weights of every make, and recipes."""

from __future__ import annotations

import argparse
import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

# torch imports it late, at a broken sparse tensor, and it compiles code of its own.
import torch._subclasses.schema_check_mode
from targets import Target
from torch import nn

import tris_model
from tris_model.clip.towers import Clip
from tris_model.config import STAGE1
from tris_model.files import clip_file, read_module
from tris_model.files.checkpoint import save
from tris_model.network.stage1 import Stage1
from tris_model.tiny_clip.train import ClipRecipe
from tris_model.train import recipe
from tris_model.train.presets import with_preset
from tris_model.train.recipe import changed
from tris_model.train.tris import plan_of

torch.set_num_threads(1)
_SMALL = replace(
    STAGE1, image_size=32, stride=16, depth=(1, 1, 1, 1), width=4, pool_grid=0, vocabulary=40, text_width=16,
    text_depth=1, text_heads=2, embed=8, hidden=6, context=24,
)  # fmt: skip


def _checkpoints(folder: Path, name: str) -> Target:
    torch.manual_seed(0)
    network = Stage1(_SMALL)
    made = folder / f"made-{name}"
    made.mkdir()
    if name == "safetensors":
        save(network, made / "a.safetensors")
        return Target(name, "w.safetensors", [(made / "a.safetensors").read_bytes()], tris_model.load, reserves=True)
    save(network, made / "a.pth")
    torch.save(network.state_dict(), made / "b.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": {"a": torch.zeros(3), "b": torch.eye(3).to_sparse()}}, made / "c.pth")
    seeds = [file.read_bytes() for file in sorted(made.iterdir())]
    return Target(name, "w.pth", seeds, tris_model.load, reserves=True)


class Tiny(nn.Module):
    """A module with a buffer, half precision and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.text_projection = nn.Parameter(torch.randn(6, 5).half())
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x)


def _archives(folder: Path, name: str) -> Target:
    path = folder / "seed.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Tiny().eval()), str(path))
    bare = folder / "bare.pt"
    torch.save(Clip(replace(_SMALL, pool_grid=2)).state_dict(), bare)
    return Target(name, "clip.pt", [path.read_bytes(), bare.read_bytes()], clip_file.load_clip, reserves=True)


def _data_in_archives(folder: Path, name: str) -> Target:
    """Changes of the pickle inside an archive, which changes of the archive seldom reach: its checksum guards it."""
    whole, _ = _archives(folder, name).seeds
    inside, wrap = _opened(whole)
    return Target(name, "clip.pt", [inside], clip_file.read, wrap=wrap, reserves=True)


def _data_in_checkpoints(folder: Path, name: str) -> Target:
    plain = {"model": {"a": torch.zeros(3), "b": torch.eye(3), "c": torch.zeros(4).half()}, "epoch": 3}
    odd = {"model": {"a": torch.zeros(3), "b": torch.eye(3).to_sparse(), "q": torch.zeros(2, device="meta")}}
    opened = []
    for value in (odd, plain):
        held = io.BytesIO()
        torch.save(value, held)
        opened.append(_opened(held.getvalue()))
    return Target(name, "w.pth", [inside for inside, _ in opened], tris_model.load, wrap=opened[1][1], reserves=True)


def _modules(folder: Path, name: str) -> Target:
    """A network that was pickled with its classes: the old form and the archive, or the pickle inside the archive."""
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2))
    inner.args = argparse.Namespace(Isize=304, nested={"a": [1, 2]})  # type: ignore[assignment]
    network = nn.DataParallel(inner)
    files = []
    for archive in (False, True):
        held = io.BytesIO()
        torch.save(network, held, _use_new_zipfile_serialization=archive)
        files.append(held.getvalue())
    if name == "module":
        return Target(name, "net.pth", files, _read_module, reserves=True)
    inside, wrap = _opened(files[1])
    return Target(name, "net.pth", [inside], _read_module, wrap=wrap, reserves=True)


def _read_module(path: Path) -> None:
    read_module(path, (), "a small network")


def _opened(whole: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The pickle in one of torch's archives, and what puts another in its place."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        files = {each: archive.read(each) for each in archive.namelist() if "/code/" not in each}
    inside = next(each for each in files if each.endswith("/data.pkl"))

    def wrap(content: bytes) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for each, own in files.items():
                archive.writestr(each, content if each == inside else own)
        return held.getvalue()

    return files[inside], wrap


def _recipes(folder: Path, name: str) -> Target:
    seeds = [file.read_bytes() for file in sorted(recipe.FOLDER.glob("*.toml"))]
    # Annotations of our own records are evaluated, as `typing` does it.
    return Target(name, "r.toml", seeds, _read_recipe, does=("compile", "exec"))


def _read_recipe(path: Path) -> None:
    """All that is made of a recipe before the data are looked at."""
    tables = changed(with_preset(recipe.read(str(path))), {"rates.heads": "1"}, "stage1")
    if "clip" in tables:
        recipe.record(ClipRecipe, tables["clip"], "clip")
    plan_of(tables, Path("nowhere"), None)


MADE: dict[str, Callable[[Path, str], Target]] = {
    "pth": _checkpoints,
    "safetensors": _checkpoints,
    "torchscript": _archives,
    "torchscript-data": _data_in_archives,
    "pth-data": _data_in_checkpoints,
    "module": _modules,
    "module-data": _modules,
    "recipe": _recipes,
}
NAMES = tuple(MADE)
