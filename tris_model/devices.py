"""Where a network runs."""

from __future__ import annotations

import torch

from risbench.errors import UsageError


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
