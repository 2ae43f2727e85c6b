"""The device and the precision of a network's computations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch

from risbench.errors import UsageError

Precision = Literal["float32", "tf32", "bf16", "auto"]
"""``auto`` is bf16 if the hardware supports it, else float32."""


@contextmanager
def computing(precision: str) -> Iterator[None]:
    """A context in which a GPU may, or may not, round the factors of float32 products to TF32.

    By default torch rounds in convolutions but not in matrix products, so neither "float32" nor "tf32" would describe
    it. Here both behave the same. The old setting is restored at the end. The setting is global to the process, so
    threads must not use different ones at the same time.

    Args:
        precision: ``tf32`` rounds (10 bits of mantissa, several times as fast); all others do not. Under ``bf16``, the
            operations that :func:`autocast` leaves in float32 are computed in float32.
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
    """Torch's settings for float32 products: owner, attribute, value for float32, value for TF32.

    Torch 2.9 has new settings, and refuses to read the old ones once the new ones were used.
    """
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    if hasattr(matmul, "fp32_precision") and hasattr(cudnn, "conv"):
        return [(owner, "fp32_precision", "ieee", "tf32") for owner in (matmul, cudnn.conv, cudnn.rnn)]
    return [(owner, "allow_tf32", False, True) for owner in (matmul, cudnn)]


def elapsed(since: float, device: torch.device) -> float:
    """Seconds since a reading of ``time.perf_counter``, after the device has finished its work.

    A GPU works asynchronously; without waiting, this would measure only the time to submit the work.
    """
    synchronize(device)
    return time.perf_counter() - since


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def add_rows(target: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
    """Compute ``target[rows[i]] += values[i]`` for all i in place, in a fixed order.

    On a GPU ``index_add_`` has no fixed order, so sums differ in their last bits from run to run. ``index_put_`` sorts
    first.

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
    """The context of a forward pass in this precision; create a new one for every step."""
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "float32"
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def has_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions a CPU computes bf16 many times slower than float32.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def pick(device: str) -> torch.device:
    """The device of this name; ``auto`` is CUDA if there is a CUDA device, else the CPU.

    Raises:
        UsageError: there is no such device; the message says what there is.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, ValueError):
        raise UsageError(f"{device!r} is not a device; use auto, cpu, cuda or cuda:N") from None
    if place.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (place.index or 0) >= count:
            raise UsageError(
                f"{device} was requested, but this machine has {count} CUDA devices; use --device auto or cpu"
            )
    elif place.type != "cpu":
        raise UsageError(f"{device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return place
