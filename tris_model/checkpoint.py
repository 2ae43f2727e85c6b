"""Weights on disk: the authors' ``.pth`` files, and safetensors, which hold no code and name their origin.

No file is ever allowed to run code: pickles are read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from risbench.errors import DataError, UsageError

from .architecture import build, detect
from .config import Config
from .devices import pick
from .places import find
from .stage1 import Stage1
from .stage2 import Stage2
from .zips import members_of, refuse_packed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds: tensors by key, and what it says of itself."""

    path: Path
    kind: str
    state: Mapping[str, Tensor]
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """As written in the file, else as detected from the shapes."""
        if "config" in self.said:
            return Config.from_json(self.said["config"])
        return detect(self.state, str(self.path))


def load(path_or_name: str | os.PathLike[str], device: str = "cpu", *, stage: int | None = None) -> Stage1 | Stage2:
    """Load a network, in eval mode.

    Args:
        path_or_name: an authors' ``.pth``, one of our files, or the name of shipped weights (``shapes``).
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
        stage: which shipped network (2 by default); a file has the stage that it has, and another value is an error.

    Returns:
        The network, detected from the file, every key of which was used. Its sizes are in ``.config``.

    Raises:
        DataError: the file is absent, broken, holds more than tensors, or does not fit (the keys are named).
        UsageError: unknown name, device not there, other stage.
    """
    place = pick(device)
    held = read(find(path_or_name, stage))
    config = held.config
    if stage is not None and config.stage != stage:
        raise UsageError(f"{held.path} is TRIS stage {config.stage}, not {stage}; leave stage out, the file decides it")
    return build(config, held.state, str(held.path)).to(place)


def read(path: Path) -> Checkpoint:
    """The tensors of a file, without building anything.

    Raises:
        DataError: see :func:`load`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if head[8:] == b"{":
        return _read_safetensors(path)
    members = members_of(path)
    if any(name.endswith("/constants.pkl") or name == "constants.pkl" for name in members):
        raise DataError(
            f"{path} is a TorchScript archive (OpenAI's CLIP?), not a TRIS checkpoint; "
            "tris_model.clipfile.read opens it"
        )
    if members:
        refuse_packed(path)
    return _read_pickle(path, mapped=bool(members))


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return Checkpoint(path, "safetensors", {key: file.get_tensor(key) for key in names}, file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is broken ({_line(error)}); download or convert it again") from None


def _read_pickle(path: Path, mapped: bool) -> Checkpoint:
    try:
        # Mapped: the authors' files carry the optimiser's state too, twice the weights, which is never touched.
        held: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({found[1]})" if found else ""
        raise DataError(
            f"{path} was not opened: it is broken or holds more than tensors{what}, and would run code"
        ) from None
    except Exception as error:  # torch raises many kinds for a broken file
        raise DataError(f"{path} is no checkpoint or a broken one ({_line(error)}); download it again") from None
    said = {}
    # "model" as the authors of TRIS and we write it, "state_dict" as open_clip, mmcv and many others do.
    inside = next((key for key in ("model", "state_dict") if isinstance(held, dict) and key in held), None)
    if inside is not None and isinstance(held[inside], Mapping):
        said = {key: value for key in ("config",) if isinstance(value := held.get(key), str)}
        held = held[inside]
    if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
        raise DataError(f"{path} holds no weights: expected a dict of tensors, or one under the key 'model'")
    _refuse_unfolding(path, held)
    return Checkpoint(path, "pth", dict(held), said)


def _refuse_unfolding(path: Path, held: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are small in the file and large, or not there, when they are used.

    Raises:
        DataError: one that is sparse, quantised or without data, or whose strides repeat its numbers.
    """
    for key, value in held.items():
        plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise DataError(f"{path} holds no weights: {key!s:.80} is not plain, or unfolds to more than is there")
    if sum(value.numel() * value.element_size() for value in held.values()) > 2 * path.stat().st_size:
        raise DataError(f"{path} holds no weights: its tensors share their numbers, and unfold to more than the file")


def save(network: Stage1 | Stage2, path: Path, said: Mapping[str, str] | None = None) -> None:
    """Write a network with its config, as safetensors or (suffix ``.pth``) the way the authors' files are."""
    write(network.state_dict(), path, {**(said or {}), "config": network.config.to_json()})


def write(state: Mapping[str, Tensor], path: Path, said: Mapping[str, str]) -> None:
    """Write tensors and what is said of them; the file appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".safetensors":
            whole = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
            save_file(whole, part, {"format": "pt", **said})
        else:
            torch.save({"model": dict(state), **said}, part)
        part.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have errors of their own
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be written: {reason}") from None
    finally:
        part.unlink(missing_ok=True)


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Copy weights from one kind of file to the other, bit for bit; the suffix of ``out`` decides.

    The source must be a whole TRIS network. What safetensors say of themselves survives the way back.

    Returns:
        :func:`describe` of the new file.
    """
    source, out = Path(source), Path(out)
    if out.suffix not in (".safetensors", ".pth"):
        raise UsageError(f"{out} must end in .safetensors or .pth, which decides the kind of file")
    held = read(source)
    config = held.config
    build(config, held.state, str(source))
    origin = {"source": source.name, "source_sha256": digest(source)} if "source_sha256" not in held.said else {}
    kept = {key: value for key, value in held.said.items() if key != "format"}
    write(held.state, out, {**kept, **origin, "config": config.to_json()})
    return describe(out)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``risbench weights show`` prints: a flat, JSON-able record of the file and its network."""
    path = find(path)
    held = read(path)
    config = held.config
    network = build(config, held.state, str(path))
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in held.state.values())
    return {
        "path": str(path),
        "kind": held.kind,
        "bytes": path.stat().st_size,
        "sha256": digest(path),
        "stage": config.stage,
        "backbone": config.backbone,
        "keys": len(held.state),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "dtypes": dict(kinds),
        "config": asdict(config),
        "said": {key: value for key, value in held.said.items() if key != "config"},
    }


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
