"""Read and write weights: the authors' ``.pth`` files, and safetensors, which hold no code and name their origin.

No code in a file is ever run: pickles are read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from risbench.datasets.catalog import is_drawn
from risbench.errors import DataError, UsageError
from risbench.io.atomic import drafted, sweep_parts
from risbench.plain import plain

from ..config import Config
from ..devices import pick
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from .architecture import build, detect, looks_like_tris
from .entries import Looks, choose
from .names import find, split_entry, with_entry
from .pickles import plain_values, read_pickle, refuse_unfolding
from .shards import is_index, shards_of
from .strange_files import strange
from .torchscript import is_archive, read_archive
from .zips import members_of, refuse_packed

# Metadata of our own files, in both formats.
METADATA = ("config", "method", "recipe", "selected", "source", "source_sha256")
DRAWN = "drawn scenes"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a weights file: tensors by key, and metadata.

    Attributes:
        path: the file, or ``FILE#ENTRY``.
        kind: ``pth``, ``safetensors`` or ``torchscript``.
        state: tensors under the network's own keys.
        metadata: the file's metadata, by key.
        entry: the entry of the file that held the tensors; empty for its root.
        notes: what a user should know about how it was read, one sentence each.
        settings: plain values beside the tensors of a ``.pth``, by key: a truth value, a number, a text, or a list of
            these. Anything else that training programs store there is left out.
    """

    path: Path
    kind: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    entry: str = ""
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trained_on(self) -> str | None:
        """The split in the network's recipe, or ``drawn scenes``; None if the file does not say it."""
        try:
            split = json.loads(self.metadata.get("recipe", "null"))["split"]
        except (ValueError, TypeError, KeyError):
            split = None
        if isinstance(split, str):
            return DRAWN if is_drawn(split) else plain(split, 80)
        return DRAWN if any(key.rpartition(".")[2] == "token_ids" for key in self.state) else None

    @property
    def config(self) -> Config:
        """The config in the file, or the one detected from the shapes."""
        if "config" in self.metadata:
            return Config.from_json(self.metadata["config"])
        return detect(self.state, str(self.path))


def load(path_or_name: str | os.PathLike[str], device: str = "cpu", *, stage: int | None = None) -> Stage1 | Stage2:
    """Load a network, in eval mode.

    Args:
        path_or_name: an authors' ``.pth``, one of our files, or the name of shipped weights (``shapes``).
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``.
        stage: chooses the shipped network (2 by default). A file determines its stage itself; another value is an
            error.

    Returns:
        The network that was detected from the file, with all keys of the file. Its sizes are in ``.config``.

    Raises:
        DataError: the file is missing or broken, holds more than tensors, or does not fit (the keys are named).
        UsageError: the name is unknown, there is no such device, or the file has another stage.
    """
    return load_with_origin(path_or_name, device, stage=stage)[0]


def load_with_origin(
    path_or_name: str | os.PathLike[str], device: str = "cpu", *, stage: int | None = None
) -> tuple[Stage1 | Stage2, Checkpoint]:
    """Like :func:`load`; also returns the checkpoint that the network came from."""
    place = pick(device)
    held = _read_own(find(path_or_name, stage))
    config = held.config
    if stage is not None and config.stage != stage:
        raise UsageError(
            f"{held.path} is TRIS stage {config.stage}, not {stage}; leave stage out, because the file determines it"
        )
    return build(config, held.state, str(held.path)).to(place), held


def _read_own(path: str | os.PathLike[str]) -> Checkpoint:
    """A file of TRIS; one of another method that uses the same network, trained with other supervision, is refused."""
    held = read(path, looks_like_tris)
    if (method := plain(held.metadata.get("method", "tris"), 40)) != "tris":
        raise DataError(f"{held.path} is a network of {method}; give it to --method {method}")
    return held


def read(path: str | os.PathLike[str], looks: Looks | None = None) -> Checkpoint:
    """Read the tensors of a file, of the shards of an index, or of one entry of a file; no network is built.

    Args:
        path: the file, or ``FILE#ENTRY`` if the file holds several networks.
        looks: decides whether names look like those of the wanted network; see :func:`tris_model.files.entries.choose`.

    Raises:
        DataError: see :func:`load`.
    """
    path, entry = split_entry(path)
    held, kind, metadata = _held(path)
    found = choose(held, str(path), looks, entry)
    if kind == "pth":
        refuse_unfolding(path, found.state, sum(file.stat().st_size for file in files_of(path)))
    address = f"{found.entry}/{found.prefix}" if found.entry and found.prefix else found.entry or found.prefix
    settings = plain_values(held) if kind == "pth" else {}
    return Checkpoint(with_entry(path, entry), kind, dict(found.state), metadata, address, found.notes, settings)


def _held(path: Path) -> tuple[Any, str, Mapping[str, str]]:
    """A file's content, its format, and its metadata."""
    if is_index(path):
        whole: dict[str, Any] = {}
        kind = ""
        for shard in shards_of(path):
            held, kind, _ = _held(shard)
            if not isinstance(held, Mapping):
                raise DataError(f"{shard} holds no weights: a shard is a dict of tensors")
            whole |= held
        return whole, kind, {}
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if not (safe := _is_safetensors(head)) and (other := strange(path)) is not None:
            raise DataError(f"{path} {other}")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if safe:
        tensors, metadata = _read_safetensors(path)
        return tensors, "safetensors", metadata
    members = members_of(path)
    if is_archive(path):
        return read_archive(path), "torchscript", {}
    if members:
        refuse_packed(path)
    held = read_pickle(path, mapped=bool(members))
    metadata = {key: value for key in METADATA if isinstance(held, Mapping) and isinstance(value := held.get(key), str)}
    return held, "pth", metadata


def _is_safetensors(head: bytes) -> bool:
    """Whether it begins like safetensors: a header length in eight bytes, the last of them 0, then JSON."""
    return head[8:] == b"{" and head[7] == 0


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is broken or incomplete ({_line(error)}); download or convert it again") from None


def save(network: Stage1 | Stage2, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network with its config, as safetensors or, for the suffix ``.pth``, in the authors' form."""
    write(network.state_dict(), path, {**(metadata or {}), "config": network.config.to_json()})


def write(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata; the file is written completely or not at all."""
    try:
        sweep_parts(path.parent, path.name)
        with drafted(path) as draft:
            if path.suffix == ".safetensors":
                whole = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
                save_file(whole, draft, {"format": "pt", **metadata})
                _sort_metadata(draft)
            else:
                with draft.open("wb") as file:
                    torch.save({"model": dict(state), **metadata}, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{path} cannot be written: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """Why a file cannot be written, in the words of the system; torch and safetensors put their own text round them."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        if number := re.search(r"\(os error (\d+)\)|\{ code: (\d+),", str(inner)):
            return os.strerror(int(number[1] or number[2]))
        inner = inner.__cause__ or inner.__context__
    return " ".join(str(error).split())[:200]


def _sort_metadata(path: Path) -> None:
    """Sort a file's metadata in place: safetensors writes it in random order, but equal content needs an equal hash."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= length:  # it is as long as it was; a header may end in spaces
            file.seek(8)
            file.write(text.ljust(length))


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Copy weights bit for bit into the format that the suffix of ``out`` names.

    The source must be a whole TRIS network. Metadata of safetensors are kept in ``.pth`` files and restored from them.

    Returns:
        :func:`describe` of the new file.
    """
    source, out = find(source), Path(out)
    if out.suffix not in (".safetensors", ".pth"):
        raise UsageError(f"{out} must end in .safetensors or .pth, which decides the kind of file")
    held = _read_own(source)
    config = held.config
    build(config, held.state, str(source))
    origin = {"source": source.name, "source_sha256": digest(source)} if "source_sha256" not in held.metadata else {}
    kept = {key: value for key, value in held.metadata.items() if key != "format"}
    write(held.state, out, {**kept, **origin, "config": config.to_json()})
    return describe(out)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A flat record of a file and its network, for JSON; ``risbench weights show`` prints it."""
    path = find(path)
    held = _read_own(path)
    config = held.config
    network = build(config, held.state, str(path))
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in held.state.values())
    return {
        "path": str(path),
        "kind": held.kind,
        "bytes": sum(file.stat().st_size for file in files_of(path)),
        "sha256": digest(path),
        "stage": config.stage,
        "backbone": config.backbone,
        "keys": len(held.state),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "dtypes": dict(kinds),
        "config": asdict(config),
        "said": {key: value for key, value in held.metadata.items() if key != "config"},
        **({"entry": held.entry} if held.entry else {}),
        **({"notes": list(held.notes)} if held.notes else {}),
    }


def files_of(path: Path) -> Sequence[Path]:
    """The files that hold a checkpoint's tensors: the file itself, or the shards of an index."""
    path, _ = split_entry(path)
    return shards_of(path) if is_index(path) else (path,)


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal; for shards, the sha256 of all of them joined."""
    total = hashlib.sha256()
    for each in files_of(path):
        with each.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
