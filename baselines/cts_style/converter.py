"""``risbench weights convert`` and ``show`` for CTS-style: a training's networks with all that they need to answer.

A packed file leaves out a text encoder that did not learn. A converted one has it, so that it stands alone.
"""

from __future__ import annotations

from pathlib import Path

from tris_model.files import read

from .._conversion import Converter, OpenedFile
from .weights_file import METHOD, looks_like_cts, open_weights

_NOT_KEPT = ("leave_out", "text_clip", "text_clip_sha256")  # of where the text encoder is, which is in the file now


def _holds(path: Path) -> bool:
    return looks_like_cts(read(path, looks_like_cts).state)


def _opened(path: Path) -> OpenedFile:
    networks = open_weights(path).networks
    held = read(path, looks_like_cts)
    metadata = {key: value for key, value in held.metadata.items() if key not in _NOT_KEPT}
    state = {name: held.state.get(name, value) for name, value in networks.state_dict().items()}
    return OpenedFile(held.path, held.kind, state, metadata, networks, networks.config)


converter = Converter(METHOD, _holds, _opened)
