"""OpenAI's archives are read, and what is in them is not run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from risbench.errors import DataError
from tris_model.files import clip_file, torchscript
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2


class Tiny(nn.Module):
    """Nested modules, a buffer, half precision, a view into a shared storage, and OpenAI's three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.text_projection = nn.Parameter(torch.randn(6, 5).half())
        self.register_buffer("turned", torch.randn(4, 3).T)
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x)


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, nn.Module]:
    tiny = Tiny().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is old, and so are the files it wrote
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(tiny), str(tmp_path / "tiny.pt"))
    return tmp_path / "tiny.pt", tiny


def test_an_archive_gives_the_modules_weights_by_name(archive: tuple[Path, nn.Module]) -> None:
    path, tiny = archive
    assert torchscript.is_archive(path)
    state = clip_file.read(path)
    expected = {key: value for key, value in tiny.state_dict().items() if key != "input_resolution"}
    assert set(state) == set(expected)
    for key, value in expected.items():
        assert torch.equal(state[key], value.float() if value.is_floating_point() else value), key
    assert state["text_projection"].dtype == torch.float32


@pytest.mark.parametrize("stage", [1, 2])
def test_a_training_starts_from_clips_towers_and_fresh_heads(
    stage: int, small: Stage1, small2: Stage2, tmp_path: Path
) -> None:
    torch.save(small.backbone.state_dict(), tmp_path / "clip.pt")
    assert not torchscript.is_archive(tmp_path / "clip.pt")
    network = clip_file.start(tmp_path / "clip.pt", (small if stage == 1 else small2).config)
    assert network.config == (small if stage == 1 else small2).config
    for key, value in small.backbone.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[key], value)
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_clip_without_a_resnet_starts_nothing(tmp_path: Path) -> None:
    torch.save({"visual.conv1.weight": torch.zeros(768, 3, 32, 32)}, tmp_path / "vit.pt")
    with pytest.raises(DataError, match="no ResNet tower"):
        clip_file.start(tmp_path / "vit.pt")


def test_the_program_in_an_archive_is_never_read(archive: tuple[Path, nn.Module], tmp_path: Path) -> None:
    path, _ = archive
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bare.pt", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, b"this is no program" if "/code/" in name else content)
    assert set(clip_file.read(tmp_path / "bare.pt")) == set(clip_file.read(path))


class Bomb:
    def __init__(self, fuse: Path):
        self.fuse = fuse

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.mkdir, (self.fuse,))


def test_a_name_that_might_act_is_refused_and_does_not(archive: tuple[Path, nn.Module], tmp_path: Path) -> None:
    path, _ = archive
    fuse = tmp_path / "ran"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle.dumps(Bomb(fuse), 2) if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(DataError, match="not opened: it names"):
        clip_file.read(tmp_path / "bomb.pt")
    assert not fuse.exists()


def test_a_damaged_archive_is_one_line(archive: tuple[Path, nn.Module], tmp_path: Path) -> None:
    path, _ = archive
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "short.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:2] if "/data/" in name else old.read(name))
    with pytest.raises(DataError, match=r"short\.pt"):
        clip_file.read(tmp_path / "short.pt")
    with pytest.raises(DataError, match="cannot be read"):
        clip_file.read(tmp_path / "absent.pt")
