"""The cost of a run: time, speed and memory of the part that this process made."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any


class Stopwatch:
    """Counts images, expressions and the seconds in ``predict``."""

    def __init__(self, device: str = "cpu") -> None:
        """Start counting.

        Args:
            device: where the method computes. If it is a GPU, the peak memory is that of this GPU; otherwise it is
                that of all GPUs together, because a method that was given as an object may use any of them.
        """
        self.on_cpu = device == "cpu"
        self._device = device if device.startswith("cuda") else None
        _forget_gpu_peaks(self._device)
        self._start = time.perf_counter()
        self.images = 0
        self.expressions = 0
        self.predicting = 0.0

    def count(self, expressions: int, seconds: float) -> None:
        """Count one more image, with the seconds that its predictions took."""
        self.images += 1
        self.expressions += expressions
        self.predicting += seconds

    def record(self, method: Any) -> dict[str, Any]:
        """One entry of ``cost.json``; speeds are over wall-clock time, scoring and writing included."""
        wall = time.perf_counter() - self._start
        return {
            "images": self.images,
            "expressions": self.expressions,
            "seconds": round(wall, 3),
            "predict_seconds": round(self.predicting, 3),
            "images_per_second": round(self.images / wall, 3),
            "expressions_per_second": round(self.expressions / wall, 3),
            "peak_memory_bytes": _peak_memory(),
            "peak_gpu_memory_bytes": _peak_gpu_memory(self._device),
            "parameters": getattr(method, "parameter_count", None),
        }


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, kilobytes elsewhere


def _peak_gpu_memory(device: str | None) -> int | None:
    """The largest number of bytes that torch held on a GPU since counting started; None if no GPU was used."""
    cuda = _used_cuda()
    return None if cuda is None else sum(int(cuda.max_memory_allocated(one)) for one in _devices(cuda, device))


def _forget_gpu_peaks(device: str | None) -> None:
    if (cuda := _used_cuda()) is not None:
        for one in _devices(cuda, device):
            cuda.reset_peak_memory_stats(one)


def _devices(cuda: Any, device: str | None) -> list[Any]:
    return [device] if device is not None else list(range(cuda.device_count()))


def _used_cuda() -> Any:
    """``torch.cuda``, if something has used it in this process."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized() else None
