"""What a run costs: time, speed and memory of the part that this process made."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any


class Stopwatch:
    """Counts images, expressions and the seconds spent in ``predict``."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.images = 0
        self.expressions = 0
        self.predicting = 0.0

    def count(self, expressions: int, seconds: float) -> None:
        """One more image, and how long its predictions took."""
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
            "peak_gpu_memory_bytes": _peak_gpu_memory(),
            "parameters": getattr(method, "parameter_count", None),
        }


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes but on a Mac


def _peak_gpu_memory() -> int | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())
