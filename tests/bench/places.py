"""Take the folders of a machine out of what its programs printed, for files that are committed."""

from __future__ import annotations

import re
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def folders() -> dict[str, str]:
    """The folders of this machine, and what stands for each: the tree's own files are named from the tree."""
    return {
        str(ROOT): ".",
        sys.prefix: "PYTHON",
        sysconfig.get_path("purelib"): "PYTHON",
        sysconfig.get_path("stdlib"): "PYTHON",
        tempfile.gettempdir(): "TMP",
        str(Path.home()): "HOME",
    }


def without_folders(value: Any, known: Mapping[str, str]) -> Any:
    """A value of JSON in whose texts no known folder stands, the longest name first."""
    if isinstance(value, Mapping):
        return {key: without_folders(one, known) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(one, known) for one in value]
    if not isinstance(value, str):
        return value
    for folder in sorted((one for one in known if len(one) > 1), key=len, reverse=True):
        name = rf"(?<![\w.-]){re.escape(folder)}"
        if known[folder] == ".":
            value = re.sub(rf"{name}/", "", value)
        value = re.sub(rf"{name}(?![\w.-])", known[folder], value)
    return value
