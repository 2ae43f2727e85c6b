"""Which versions, and on which processor, the tests run: printed above them, and by `make test-matrix` below them."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# What computes or compares figures, and may differ in the last bit from version to version.
_PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "opencv-python-headless", "pillow", "pycocotools", "pandas", "matplotlib",
    "open_clip_torch", "transformers", "safetensors", "click", "rich", "requests", "urllib3", "pytest", "hypothesis",
)  # fmt: skip


def lines(capability: str | None = None) -> list[str]:
    """Python and packages; the processor, and which of its instructions torch uses.

    Args:
        capability: what stands for the instructions; None imports torch and asks it.
    """
    found = [f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in _PACKAGES)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        f"versions: {', '.join(found)}",
        f"machine: {platform.platform()}, {_processor()}, {cores} cores, torch uses {capability or instructions()}",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        message = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        message = []
    models = (line.partition(":")[2].strip() for line in message if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def instructions() -> str:
    """Which of the processor's instructions torch uses."""
    import torch

    return torch.backends.cpu.get_cpu_capability()


if __name__ == "__main__":
    print("\n".join(lines()))
