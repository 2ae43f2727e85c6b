"""``risbench weights show`` and ``convert`` for a rival: its file described, and copied to safetensors or back.

Each rival says how its file is opened; what is printed and written is the same for all. An instance of
:class:`Converter` stands as an entry point of ``risbench.weights``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from risbench import RisbenchError, UsageError
from tris_model import digest
from tris_model.files import write


class OpenedFile(NamedTuple):
    """What a file of weights holds, whichever form it has.

    Attributes:
        path: the file.
        kind: its form, in words.
        state: its tensors under the names that a file of ours has.
        metadata: what the file says of itself.
        network: built of exactly these tensors.
        config: a frozen dataclass of sizes with ``to_json``.
    """

    path: Path
    kind: str
    state: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    network: nn.Module
    config: Any


@dataclass(frozen=True, slots=True)
class Converter:
    """Reads the files of one method.

    Attributes:
        method: its name.
        holds: whether a path, which is a file, is one of the method's; it runs nothing that is in the file and may
            raise :class:`risbench.RisbenchError`, which means no.
        open: the file's content, checked name by name.
    """

    method: str
    holds: Callable[[Path], bool]
    open: Callable[[Path], OpenedFile]

    def claims(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file is one of the method's."""
        path = Path(path)
        try:
            return path.is_file() and self.holds(path)
        except RisbenchError:
            return False

    def convert(self, source: str | os.PathLike[str], out: str | os.PathLike[str]) -> dict[str, Any]:
        """Copy the weights to safetensors or, by the suffix of ``out``, to a state dict; bit for bit.

        Args:
            source: a file of the method's.
            out: ``.safetensors`` or ``.pth``.

        Returns:
            :meth:`describe` of the new file.

        Raises:
            UsageError: there is no such file, or another suffix.
            DataError: it is not a whole file of the method's.
        """
        out = Path(out)
        if out.suffix not in (".safetensors", ".pth"):
            raise UsageError(f"{out} must end in .safetensors or .pth, which decides the kind of file")
        held = self.open(Path(source))
        known = "source_sha256" in held.metadata
        origin = {} if known else {"source": held.path.name, "source_sha256": digest(held.path)}
        kept = {key: value for key, value in held.metadata.items() if key != "format"}
        write(held.state, out, {**kept, **origin, "config": held.config.to_json()})
        return self.describe(out)

    def describe(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """What ``risbench weights show`` prints: a flat record of the file and its network.

        Raises:
            UsageError, DataError: see :meth:`convert`.
        """
        held = self.open(Path(path))
        kinds = Counter(str(value.dtype).removeprefix("torch.") for value in held.state.values())
        return {
            "path": str(held.path),
            "method": self.method,
            "kind": held.kind,
            "bytes": held.path.stat().st_size,
            "sha256": digest(held.path),
            "keys": len(held.state),
            "parameters": sum(weight.numel() for weight in held.network.parameters()),
            "dtypes": dict(kinds),
            "config": asdict(held.config),
            "metadata": {key: value for key, value in held.metadata.items() if key not in ("config", "vocabulary")},
        }
