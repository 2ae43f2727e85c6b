"""Helpers of the tests of a run's origin."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

METHOD = """
import numpy as np
{more}
class Plugged:
    card = {{"grade": "native", "supervision": "none"}}
    def predict(self, image, texts):
        return [np.full((4, 4), {value}, np.float32) for _ in texts]
def make(*, weights=None, device="cpu"{options}):
    return Plugged()
"""


REFINER = """
import numpy as np
def refine(image, heats, threshold):
    return heats > {value}
"""


OTHER = r"was made by other code: .*; --overwrite replaces the run, another --out keeps both$"


class Plugin:
    """A third party's distribution `plugged`, importable from a folder; its files can be edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = folder / "plugged-0.3.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 0.3\n")
        (about / "entry_points.txt").write_text(
            "[risbench.methods]\nplugged = plugged_home:make\n[risbench.refiners]\nplugged = plugged_refiner:refine\n"
        )
        self.write("plugged_refiner.py", REFINER.format(value=0.0))
        self.method()

    def method(self, value: float = 0.5, more: str = "", options: str = "", file: str = "plugged_home.py") -> None:
        self.write(file, METHOD.format(value=value, more=more, options=options))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        self.forget()

    @staticmethod
    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("plugged_")]:
            del sys.modules[name]
        importlib.invalidate_caches()


def part_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "header.json").read_text())["origin"]


def edit_method(plugin: Plugin) -> dict[str, Any]:
    plugin.method(0.25)
    return {}
