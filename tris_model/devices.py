"""Where a network runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from risbench.errors import UsageError

Precision = Literal["float32", "bf16", "auto"]
"""``auto`` is bf16 where the hardware computes in it, else float32."""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward in that precision; enter it anew for every step."""
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "float32"
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions a CPU computes bf16 too, many times slower than float32.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)


def pick(device: str) -> torch.device:
    """The device of that name; ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        UsageError: no such device, naming what there is.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, ValueError):
        raise UsageError(f"{device!r} is no device; use auto, cpu, cuda or cuda:N") from None
    if place.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (place.index or 0) >= count:
            raise UsageError(f"{device} was asked for and there are {count} CUDA devices; use --device auto or cpu")
    elif place.type != "cpu":
        raise UsageError(f"{device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return place
