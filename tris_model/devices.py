"""Where a network runs, and how exactly it computes there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch

from risbench.errors import UsageError

Precision = Literal["float32", "tf32", "bf16", "auto"]
"""``auto`` is bf16 where the hardware computes in it, else float32."""


@contextmanager
def computing(precision: str) -> Iterator[None]:
    """Let a GPU round the factors of float32 products to TF32, or forbid it, while the context lasts.

    Torch's default rounds in convolutions and not in matrix products, so that neither "float32" nor "tf32" would be
    true. Here both do the same. What was set before is set again at the end. The setting is the whole process's, so
    threads must not compute with different ones at the same time.

    Args:
        precision: ``tf32`` rounds (10 bits of mantissa, several times as fast); all others do not: under ``bf16`` what
            :func:`autocast` leaves in float32 is computed in float32.
    """
    switches = float32_switches()
    before = [getattr(owner, name) for owner, name, _, _ in switches]
    for owner, name, exact, rounded in switches:
        setattr(owner, name, rounded if precision == "tf32" else exact)
    try:
        yield
    finally:
        for (owner, name, _, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)


def float32_switches() -> list[tuple[Any, str, Any, Any]]:
    """Torch's switches for products in float32: owner, attribute, value for float32, value for TF32.

    Torch 2.9 brought new ones, and refuses to read the old ones where the new ones were used.
    """
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    if hasattr(matmul, "fp32_precision") and hasattr(cudnn, "conv"):
        return [(owner, "fp32_precision", "ieee", "tf32") for owner in (matmul, cudnn.conv, cudnn.rnn)]
    return [(owner, "allow_tf32", False, True) for owner in (matmul, cudnn)]


def elapsed(since: float, device: torch.device) -> float:
    """Seconds since a reading of ``time.perf_counter``, once the device has done all that it was given.

    A GPU works behind the program: read at once, the clock would tell how long the work took to be handed over.
    """
    synchronize(device)
    return time.perf_counter() - since


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def add_rows(target: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
    """``target[rows[i]] += values[i]`` for all i, in place, in an order that is the same every time.

    ``index_add_`` adds in no fixed order on a GPU, so that sums differ in their last bits from run to run.
    ``index_put_`` sorts there first.

    Args:
        target: ``(M, C)``.
        rows: int64 ``(N,)``.
        values: ``(N, C)``.
    """
    if target.device.type == "cuda":
        target.index_put_((rows,), values, accumulate=True)
    else:
        target.index_add_(0, rows, values)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward in that precision; enter it anew for every step."""
    if precision == "auto":
        precision = "bf16" if _has_bf16(device) else "float32"
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions a CPU computes bf16 too, many times slower than float32.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


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
            raise UsageError(
                f"{device} was requested, but this machine has {count} CUDA devices; use --device auto or cpu"
            )
    elif place.type != "cpu":
        raise UsageError(f"{device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return place
