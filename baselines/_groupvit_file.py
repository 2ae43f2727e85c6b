"""GroupViT's weights from every place they come from, checked key by key. transformers is imported here alone.

A place is a folder in Hugging Face's layout, the authors' ``.pth``, a file of ours, or an id of the Hugging Face hub.
Only an id that the user wrote is ever fetched. Nothing runs code: pickles are read with ``weights_only=True``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from risbench import DataError, UsageError
from tris_model import digest
from tris_model.architecture import fill
from tris_model.checkpoint import read

from ._groupvit_names import is_authors, renamed, sizes

SHIPPED = Path(__file__).parent / "weights" / "shapes_groupvit.safetensors"
HUB = "nvidia/groupvit-gcc-yfcc"
AUTHORS = "group_vit_gcc_yfcc_30e-879422e0.pth"
INSTALL = 'groupvit needs transformers: pip install "risbench[groupvit]"'
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
IDS = "token_ids"  # in files of ours: which of CLIP's ids have a row of their own
# Configurations that training code leaves in a checkpoint. They become empty boxes; their code is never imported.
_CONFIGS = re.compile(
    r"(omegaconf|yacs)\.[\w.]+|argparse\.Namespace|typing\.Any|collections\.defaultdict|"
    r"builtins\.(dict|list|tuple|set|int|float|str|bool)"
)


class Loaded(NamedTuple):
    """A network and where it came from.

    Attributes:
        network: transformers' ``GroupViTModel``, float32, in eval mode.
        token_ids: int64, ascending: CLIP's ids that have a row, if not all have; the row behind them is all others'.
        digest: sha256 of the file of weights.
        tiny: whether it is one of ours, of the drawn world.
    """

    network: Any
    token_ids: Tensor | None
    digest: str
    tiny: bool


def advice() -> str:
    """One line for who gave no weights."""
    return (
        f"groupvit needs weights: pass --weights {HUB} (fetched from the Hugging Face hub), a local copy of that "
        f"folder, or the authors' {AUTHORS} (github.com/xvjiarui/GroupViT); or --weights shapes, the tiny one of the "
        "drawn world"
    )


def transformers() -> Any:
    """The library, whose import takes seconds.

    Raises:
        UsageError: it is not there.
    """
    try:
        import transformers
    except ImportError:
        raise UsageError(INSTALL) from None
    return transformers


def load(place: str | os.PathLike[str]) -> Loaded:
    """A network with exactly the weights of a place.

    Args:
        place: a folder, a file, ``shapes`` or an id of the hub; what exists on the disk goes first.

    Raises:
        UsageError: no such place, or transformers is missing.
        DataError: broken, no GroupViT, or keys that are missing, unexpected or misshapen, by name; or the hub does
            not answer.
    """
    path = Path(place)
    if path.is_dir():
        return _from_folder(path)
    if path.exists():
        return _from_file(path)
    if str(place) == "shapes":
        if not SHIPPED.exists():
            raise UsageError(f"the weights 'shapes' lack their groupvit: no {SHIPPED}; install risbench again")
        return _from_file(SHIPPED)
    if _is_id(str(place)):
        return _from_hub(str(place))
    raise UsageError(f"there is no weights file {path}; {advice()}")


def _is_id(place: str) -> bool:
    """``owner/name``, and no path that was mistyped."""
    return bool(re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", place)) and not (
        Path(place).suffix in (".pth", ".pt", ".bin", ".safetensors") or Path(place).parent.is_dir()
    )


def _from_folder(folder: Path) -> Loaded:
    config = folder / CONFIG
    found = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not config.exists() or not found:
        raise DataError(
            f"{folder} holds no {CONFIG} with {' or '.join(WEIGHTS)}: give a folder in Hugging Face's layout"
        )
    return _in_their_layout(config, found[0])


def _from_hub(place: str) -> Loaded:
    transformers()
    import huggingface_hub as hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        config = Path(hub.hf_hub_download(place, CONFIG))
        for name in WEIGHTS:
            try:
                return _in_their_layout(config, Path(hub.hf_hub_download(place, name)))
            except EntryNotFoundError as error:
                if isinstance(error, LocalEntryNotFoundError):  # offline, which is another matter
                    raise
    except (DataError, UsageError):
        raise
    except Exception as error:  # the hub's errors, the network's, those of whichever client lies between
        raise DataError(f"{place} cannot be fetched from the Hugging Face hub ({_line(error)}); {advice()}") from None
    raise DataError(f"{place} on the Hugging Face hub holds none of {', '.join(WEIGHTS)}")


def _in_their_layout(config: Path, weights: Path) -> Loaded:
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{config} cannot be read ({_line(error)})") from None
    if not isinstance(said, dict) or said.get("model_type") != "groupvit":
        kind = said.get("model_type") if isinstance(said, dict) else None
        raise DataError(f"{config} is the configuration of {kind or 'something else'}, not of a GroupViT")
    # Buffers that older versions of the library stored.
    state = {key: value for key, value in read(weights).state.items() if not key.endswith(".position_ids")}
    return Loaded(_filled(said, state, f"{weights} as GroupViT"), None, digest(weights), False)


def _from_file(path: Path) -> Loaded:
    if path.suffix == ".safetensors":
        held = read(path)
        if "config" not in held.said:
            raise DataError(f"{path} does not say its sizes; give the folder in which it lay, with {CONFIG}")
        state = dict(held.state)
        ids = state.pop(IDS, None)
        network = _filled(json.loads(held.said["config"]), state, f"{path} as GroupViT")
        return Loaded(network, ids, digest(path), ids is not None)
    with torch.serialization.safe_globals(_boxes(path)):
        state = dict(read(path).state)
    if is_authors(state):
        state = renamed(state)
    try:
        config = sizes(state)
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        seen = ", ".join(list(state)[:3])
        raise DataError(f"{path} holds no whole GroupViT (it begins with {seen or 'nothing'}); {advice()}") from None
    return Loaded(_filled(config, state, f"{path} as the authors' GroupViT"), None, digest(path), False)


class _Box:
    """Stands for an object that is not wanted."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def _boxes(path: Path) -> list[Any]:
    """A box for every configuration class that the pickle names."""
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # not a pickle torch can list; reading it will say what is wrong
        return []
    return [(_Box, name) for name in named if _CONFIGS.fullmatch(name)]


def _filled(said: dict[str, Any], state: dict[str, Tensor], what: str) -> Any:
    library = transformers()
    try:
        network = library.GroupViTModel(library.GroupViTConfig(**said))
    except (TypeError, ValueError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise DataError(f"{what}: its configuration is refused ({_line(error)})") from None
    fill(network, state, what)
    return network.eval().requires_grad_(False)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
