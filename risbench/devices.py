"""Choose the device of a run, without importing torch if the machine has no GPU driver."""

from __future__ import annotations

from pathlib import Path

from .errors import RisbenchError, UsageError

_DRIVER = (Path("/proc/driver/nvidia"), Path("/dev/nvidiactl"), Path("/dev/dxg"))


def chosen(device: str, rank: int = 0, ranks: int = 1) -> str:
    """The device to use: for ``auto`` it is ``cuda:RANK`` if there is a GPU, else ``cpu``; other names are checked.

    Args:
        device: the name given by the user.
        rank: the number of this process among the processes on this machine.
        ranks: the number of processes on this machine.

    Raises:
        UsageError: it is not the name of a device, or all ranks would share one GPU.
        RisbenchError: the user chose CUDA, but it cannot be used.
    """
    if device == "cpu":
        return device
    if device == "auto":
        return f"cuda:{rank}" if _cuda_count() else "cpu"
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise UsageError(f"no device named '{device}': give auto, cpu, cuda or cuda:N")
    count = _cuda_count()
    if not count:
        raise RisbenchError(f"--device {device}: torch finds no CUDA device here; --device auto falls back to the CPU")
    if number and int(number) >= count:
        raise RisbenchError(f"--device {device}: there are {count} CUDA devices, the last is cuda:{count - 1}")
    if number and ranks > 1:
        raise UsageError(f"{device} would put all {ranks} processes on one GPU; --device cuda gives each its own")
    return device if number else f"cuda:{rank}"


def _cuda_count() -> int:
    # Importing torch takes seconds; without a driver there is no GPU.
    if not any(path.exists() for path in _DRIVER):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
