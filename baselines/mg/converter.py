"""``risbench weights convert`` and ``show`` for MG: the authors' TensorFlow checkpoint becomes safetensors.

Entry point ``mg`` of ``risbench.weights``: ``claims``, ``convert`` and ``describe``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from risbench import RisbenchError, UsageError
from tris_model import digest
from tris_model.files import read, weights_file, write

from .bundle import Bundle, is_bundle
from .network import MgNetwork
from .weights_file import built, chosen, from_bundle, looks_like_mg, open_weights


class OpenedMg(NamedTuple):
    """What a file holds, whichever form it has."""

    path: Path
    kind: str
    sha256: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    network: MgNetwork
    notes: tuple[str, ...]


def claims(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a TensorFlow checkpoint, which no other reader opens, or a file of MG's weights."""
    path = Path(path)
    if is_bundle(path):
        return True
    try:
        return path.is_file() and looks_like_mg(read(path, looks_like_mg).state)
    except RisbenchError:
        return False


def convert(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    mix: str | None = None,
    edition: str | None = None,
) -> dict[str, Any]:
    """Copy MG's weights to safetensors; no number is changed but by the order in which torch keeps it.

    TensorFlow adds 1 to an LSTM's forget gate when it runs; here it is added to the gate's bias.

    Args:
        source: the authors' checkpoint (its prefix, one of its files or its folder), or a file of ours.
        out: ``.safetensors``.
        mix, edition: what the file will say of itself; see :func:`baselines.mg.load`.

    Returns:
        :func:`describe` of the new file.

    Raises:
        UsageError: there is no such file, another suffix, or a choice that does not fit.
        DataError: it is broken, of another network, or of TensorFlow's first format.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} must end in .safetensors")
    held = _opened(Path(source))
    config = chosen(held.network.config, mix, edition)
    known = "source_sha256" in held.metadata
    origin = {} if known else {"source": held.path.name, "source_sha256": held.sha256}
    kept = {key: value for key, value in held.metadata.items() if key != "format"}
    write(held.state, out, {**kept, **origin, "config": config.to_json()})
    return describe(out)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``risbench weights show`` prints: a flat record of the file and its network."""
    held = _opened(Path(path))
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in held.state.values())
    files = sorted(held.path.parent.glob(f"{held.path.name}.data-*")) if held.kind == "TensorFlow checkpoint" else []
    return {
        "path": str(held.path),
        "method": "mg",
        "kind": held.kind,
        "bytes": sum(file.stat().st_size for file in files or [held.path]),
        "sha256": held.sha256,
        "keys": len(held.state),
        "parameters": sum(weight.numel() for weight in held.network.parameters()),
        "dtypes": dict(kinds),
        "config": asdict(held.network.config),
        "metadata": {key: value for key, value in held.metadata.items() if key != "config"},
        **({"notes": list(held.notes)} if held.notes else {}),
    }


def _opened(path: Path) -> OpenedMg:
    if is_bundle(path):
        bundle = Bundle(path)
        config, state, notes = from_bundle(bundle)
        network = built(config, state, f"{bundle.prefix} as MG")
        sha256 = hashlib.sha256(Path(f"{bundle.prefix}.index").read_bytes()).hexdigest()
        return OpenedMg(bundle.prefix, "TensorFlow checkpoint", sha256, state, {}, network, notes)
    loaded = open_weights(path)
    held = read(weights_file(path), looks_like_mg)
    return OpenedMg(held.path, held.kind, digest(held.path), held.state, held.metadata, loaded.network, loaded.notes)
