"""risbench: evaluation and benchmark toolkit for weakly supervised referring image segmentation.

The public names. They are imported on first use, so that ``import risbench`` loads neither torch nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .datasets.load import load_split
    from .datasets.split import Split
    from .errors import DataError, DataWarning, MaskError, RisbenchError, UsageError
    from .methods.contract import Method
    from .metrics.rules.protocols import Rules
    from .records import RLE, Box, Overlap, Prediction, Sample
    from .results.run import Run
    from .running.evaluation import evaluate
    from .running.loop import Settings
    from .running.shards import merge
    from .scorer import Scorer, iou
    from .scoring.predictions import score

_HOMES = {
    "RLE": "records",
    "Box": "records",
    "DataError": "errors",
    "DataWarning": "errors",
    "MaskError": "errors",
    "Method": "methods.contract",
    "Overlap": "records",
    "Prediction": "records",
    "RisbenchError": "errors",
    "Rules": "metrics.rules.protocols",
    "Run": "results.run",
    "Sample": "records",
    "Scorer": "scorer",
    "Settings": "running.loop",
    "Split": "datasets.split",
    "UsageError": "errors",
    "evaluate": "running.evaluation",
    "iou": "scorer",
    "load_split": "datasets.load",
    "merge": "running.shards",
    "score": "scoring.predictions",
}
__all__ = [
    "RLE",
    "Box",
    "DataError",
    "DataWarning",
    "MaskError",
    "Method",
    "Overlap",
    "Prediction",
    "RisbenchError",
    "Rules",
    "Run",
    "Sample",
    "Scorer",
    "Settings",
    "Split",
    "UsageError",
    "evaluate",
    "iou",
    "load_split",
    "merge",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'risbench' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
