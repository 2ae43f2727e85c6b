"""The kinds of files that only reading with torch installed reads: weights of every make, and recipes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from targets import Target
from torch import nn

import tris_model
from tris_model import clipfile
from tris_model.checkpoint import save
from tris_model.clip import Clip
from tris_model.config import STAGE1
from tris_model.stage1 import Stage1
from tris_model.train import recipe
from tris_model.train.clip import ClipRecipe
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
    return Target(name, "clip.pt", [path.read_bytes(), bare.read_bytes()], clipfile.load_clip, reserves=True)


def _data_in_archives(folder: Path, name: str) -> Target:
    """Changes of the pickle inside an archive, which changes of the archive seldom reach: its checksum guards it."""
    import io
    import zipfile

    path = folder / "seed.pt"
    if not path.exists():
        _archives(folder, name)
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist() if "/code/" not in each}
    inside = next(each for each in files if each.endswith("/data.pkl"))

    def read(path: Path) -> None:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for each, content in files.items():
                archive.writestr(each, path.read_bytes() if each == inside else content)
        place.write(held.getvalue())
        clipfile.read(place.path)

    place = _Place(folder / "wrapped.pt")
    return Target(name, "data.pkl", [files[inside]], read, reserves=True)


def _data_in_checkpoints(folder: Path, name: str) -> Target:
    import io
    import zipfile

    held = io.BytesIO()
    torch.save({"model": {"a": torch.zeros(3), "b": torch.eye(3), "c": torch.zeros(4).half()}, "epoch": 3}, held)
    other = io.BytesIO()
    torch.save(
        {"model": {"a": torch.zeros(3), "b": torch.eye(3).to_sparse(), "q": torch.zeros(2, device="meta")}}, other
    )
    seeds = []
    for each in (held, other):
        with zipfile.ZipFile(each) as archive:
            files = {one: archive.read(one) for one in archive.namelist()}
            inside = next(one for one in files if one.endswith("/data.pkl"))
            seeds.append(files[inside])
    place = _Place(folder / "wrapped.pth")

    def read(path: Path) -> None:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as archive:
            for each, content in files.items():
                archive.writestr(each, path.read_bytes() if each == inside else content)
        place.write(held.getvalue())
        tris_model.load(place.path)

    return Target(name, "data.pkl", seeds, read, reserves=True)


class _Place:
    """A file that stays open, because opening one to write is what is watched for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)

    def write(self, content: bytes) -> None:
        self._file.seek(0)
        self._file.write(content)
        self._file.truncate()


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
    "recipe": _recipes,
}
NAMES = tuple(MADE)
