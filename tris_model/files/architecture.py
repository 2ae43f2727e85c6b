"""Find the network that a file's names and shapes belong to, and name every difference."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from risbench.errors import DataError

from ..config import STAGE1, STAGE2, Config
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2

State = Mapping[str, Tensor]
SHOWN = 5


def stage_of(state: State) -> int | None:
    """The stage, 1 or 2, by the heads in the state; None if it has no heads."""
    for stage, head in ((1, "attn_fusion."), (2, "attention2.")):
        if any(key.startswith(head) for key in state):
            return stage
    return None


def looks_like_tris(names: Collection[str]) -> bool:
    """Whether names belong to a TRIS network of either stage."""
    return any(name.startswith(("attn_fusion.", "attention2.")) for name in names)


def detect(state: State, source: str) -> Config:
    """The config of a TRIS state, from its shapes; values that shapes do not determine are the authors'.

    Raises:
        DataError: it is not a TRIS state; the message says what it looks like.
    """
    stage = stage_of(state)
    if stage is None:
        if "visual.conv1.weight" in state or "visual.layer1.0.conv1.weight" in state:
            raise DataError(
                f"{source} is a CLIP, not a TRIS network: it has both towers but no heads. A training can start "
                "from it, and tris_model.load_clip opens it"
            )
        some = ", ".join(list(state)[:3]) or "nothing"
        raise DataError(
            f"{source} is neither TRIS stage 1 (no key attn_fusion.…) nor stage 2 (no attention2.…): {some} …"
        )
    config = detect_clip(state, STAGE1 if stage == 1 else STAGE2, prefix="backbone.")
    if stage == 1:
        return replace(config, hidden=_size(state, "vis_project.weight", 0, config.hidden))
    return replace(config, decoder=_size(state, "reduced_c1.conv.weight", 0, config.decoder))


def detect_clip(state: State, base: Config = STAGE1, prefix: str = "") -> Config:
    """The towers' sizes. For a missing key the size of ``base`` is used; the later comparison names the key."""
    text_width = _size(state, f"{prefix}ln_final.weight", 0, base.text_width)
    grid = _size(state, f"{prefix}visual.attnpool.positional_embedding", 0, 1) - 1
    imagenet = f"{prefix}visual.resnet.conv1.weight" in state
    depth = tuple(_count(state, rf"{prefix}visual\.layer{layer}\.(\d+)\.") for layer in (1, 2, 3, 4))
    return replace(
        base,
        trunk="imagenet" if imagenet else "clip",
        depth=base.depth if imagenet else depth,
        width=_size(state, f"{prefix}visual.conv3.weight", 0, base.width),
        pool_grid=round(grid**0.5),
        context=_size(state, f"{prefix}positional_embedding", 0, base.context),
        vocabulary=_size(state, f"{prefix}token_embedding.weight", 0, base.vocabulary),
        trimmed=f"{prefix}token_ids" in state,
        ramp=f"{prefix}visual.ramp" in state,
        text_width=text_width,
        text_depth=_count(state, rf"{prefix}transformer\.resblocks\.(\d+)\."),
        # Shapes do not show the number of heads; CLIP's heads have 64 channels each.
        text_heads=base.text_heads if text_width == base.text_width else max(1, text_width // 64),
        embed=_size(state, f"{prefix}text_projection", 1, base.embed),
    )


def build(config: Config, state: State, source: str) -> Stage1 | Stage2:
    """Build the network of a config with exactly these weights, float32, in eval mode.

    Raises:
        DataError: keys are missing, unexpected or of the wrong shape; all three are named.
    """
    if sum(config.depth) + config.text_depth > len(state):
        raise DataError(f"{source} has {len(state)} keys, too few for the blocks that its config names")
    try:
        with torch.device("meta"):  # no default weights to draw and throw away
            network = Stage1(config) if config.stage == 1 else Stage2(config)
    except (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{source}: no network can be built with the sizes in its config ({reason})") from None
    fill(network, state, f"{source} as TRIS stage {config.stage} ({config.backbone})")
    return network.eval()


def fill(network: nn.Module, state: State, what: str) -> None:
    """Load weights into a network, strictly; floats become float32.

    Raises:
        DataError: see :func:`build`.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    state = _without_harmless_differences(expected, state)
    compare(expected, state, what)
    own = {key: (value.float() if value.is_floating_point() else value).clone() for key, value in state.items()}
    network.load_state_dict(own, strict=True, assign=True)


def _without_harmless_differences(expected: Mapping[str, tuple[int, ...]], state: State) -> dict[str, Tensor]:
    """The state with harmless differences removed: missing batch counters, and one number stored as a row of one."""
    counts = {key: torch.tensor(0) for key in expected if key.endswith("num_batches_tracked") and key not in state}
    return {
        key: value.reshape(expected[key]) if value.numel() == 1 and expected.get(key) in ((), (1,)) else value
        for key, value in {**state, **counts}.items()
    }


def compare(expected: Mapping[str, tuple[int, ...]], state: State, what: str) -> None:
    """Raise an error unless ``state`` has exactly the expected keys and shapes."""
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    wrong = [
        f"{key} {tuple(state[key].shape)} instead of {shape}"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    faults = [
        f"{len(keys)} {kind} ({_some(keys)})"
        for kind, keys in (("missing", missing), ("unexpected", unexpected), ("of the wrong shape", wrong))
        if keys
    ]
    if faults:
        raise DataError(f"{what}: of {len(expected)} keys {'; '.join(faults)}")


def _some(keys: list[str]) -> str:
    rest = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _size(state: State, key: str, axis: int, default: int) -> int:
    value = state.get(key)
    return int(value.shape[axis]) if value is not None and value.ndim > axis else default


def _count(state: State, pattern: str) -> int:
    found = {int(match[1]) for key in state if (match := re.match(pattern, key))}
    # A key may name the billionth block, but there are at most as many blocks as keys.
    return min(max(found, default=0) + 1, len(state))
