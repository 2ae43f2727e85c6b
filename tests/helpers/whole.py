"""A small split that is whole: ReferIt's, of which no counts are known to differ from."""

from __future__ import annotations

from pathlib import Path

from helpers.small import write_small

from risbench import Split, load_split


def whole_split(root: Path, images: int = 8) -> Split:
    """`helpers.small` as ``referit_val``."""
    write_small(root, images)
    (root / "refer" / "refcoco").rename(root / "refer" / "refclef")
    (root / "refer" / "refclef" / "refs(unc).p").rename(root / "refer" / "refclef" / "refs(berkeley).p")
    (root / "images").mkdir()
    (root / "train2014").rename(root / "images" / "saiapr_tc-12")
    return load_split("referit_val", root)
