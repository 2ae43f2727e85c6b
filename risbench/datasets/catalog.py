"""The catalog: every split that `risbench` knows, by its name.

Counts are the confirmed ones of the table in the TRIS specification, section 3.6: image and ref counts from the README
of TFDS's ref_coco, expression counts from lists that sum to the published totals. ReferIt has no counts: the published
Berkeley counts (54,134 / 5,842 / 60,105 expressions) come from text_objseg's own lists, and it is not known whether
REFER's refs(berkeley).p or TRIS's pickles hold the same expressions.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from ..errors import UsageError
from . import own
from .entry import DRAWN_ORIGIN, REFER_ORIGIN, REFERIT_ORIGIN, SAIAPR_ORIGIN, UNKNOWN, Counts, Entry


def _entry(name: str, folder: str, refs_file: str, part: str, expected: Counts = UNKNOWN, **more: Any) -> Entry:
    role: Any = "test" if part.startswith("test") else part
    if part in ("train", "val"):
        word, match = part, "exact"
    elif part == "test":
        word, match = "test", "contains"
    else:
        word, match = part[-1], "letter"
    family = more.pop("family", "refer")
    return Entry(name, family, folder, refs_file, word, match, role, expected, **more)


def _coco(name: str, part: str, refs_file: str, *expected: int | None) -> Entry:
    full = f"{name}_{part}"
    if name == "refcocog":
        full += "_u" if "umd" in refs_file else "_g"
    return _entry(full, name, refs_file, part, Counts(*expected))


def _referit(part: str, end: str = "", **more: Any) -> Entry:
    refs_file = "refs(unc).p" if end == "_unc" else "refs(berkeley).p"
    more = {"origin": REFER_ORIGIN + "; or " + REFERIT_ORIGIN if "pickle" in more else REFER_ORIGIN, **more}
    name = f"referit_{part}{end}"
    return _entry(name, "refclef", refs_file, part, family="referit", images_origin=SAIAPR_ORIGIN, **more)


def _drawn(part: str, *counts: int) -> Entry:
    more: dict[str, Any] = {"origin": DRAWN_ORIGIN, "images_origin": DRAWN_ORIGIN, "family": "drawn"}
    return _entry(f"shapes_{part}", part, "refs(drawn).p", part, Counts(*counts), **more)


_ENTRIES: tuple[Entry, ...] = (
    _coco("refcoco", "train", "refs(unc).p", 16_994, 42_404, 120_624),
    _coco("refcoco", "val", "refs(unc).p", 1_500, 3_811, 10_834),
    _coco("refcoco", "testA", "refs(unc).p", 750, 1_975, 5_657),
    _coco("refcoco", "testB", "refs(unc).p", 750, 1_810, 5_095),
    _coco("refcoco+", "train", "refs(unc).p", 16_992, 42_278, 120_191),
    _coco("refcoco+", "val", "refs(unc).p", 1_500, 3_805, 10_758),
    _coco("refcoco+", "testA", "refs(unc).p", 750, 1_975, 5_726),
    _coco("refcoco+", "testB", "refs(unc).p", 750, 1_798, 4_889),
    # Only one page gives 85,474, but it is also the published total of 95,010 minus the confirmed 9,536 of val.
    _coco("refcocog", "train", "refs(google).p", 24_698, 44_822, 85_474),
    _coco("refcocog", "val", "refs(google).p", 4_650, 5_000, 9_536),
    # No confirmed source gives UMD's expression counts (80,512 / 4,896 / 9,602); only their sum is confirmed.
    _coco("refcocog", "train", "refs(umd).p", 21_899, 42_226, None),
    _coco("refcocog", "val", "refs(umd).p", 1_300, 2_573, None),
    _coco("refcocog", "test", "refs(umd).p", 2_600, 5_023, None),
    _referit("train", pickle="train.pickle"),
    _referit("val"),
    _referit("test", pickle="test.pickle"),
    _referit("test", "_5pct", pickle="test.pickle", least_percent=5),
    _referit("val", "_unc"),
    _referit("testA", "_unc"),
    _referit("testB", "_unc"),
    _referit("testC", "_unc"),
    _drawn("train", 6_000, 16_327, 59_525),
    _drawn("val", 500, 1_364, 4_970),
    _drawn("test", 500, 1_365, 4_965),
)
_BY_NAME = {entry.name: entry for entry in _ENTRIES}


def names() -> tuple[str, ...]:
    """The canonical names, in the catalog's order; without own splits, which differ between data roots."""
    return tuple(_BY_NAME)


def is_drawn(name: str) -> bool:
    """Whether a split has drawn scenes; False for a name that is not in the catalog."""
    return name in _BY_NAME and _BY_NAME[name].family == "drawn"


def find(name: str, data_root: str | Path | None = None) -> Entry:
    """Find the entry of a name (``refcocoplus_…`` is ``refcoco+_…``).

    Args:
        name: a name of the catalog, or of an own split.
        data_root: the folder of own splits; by default ``$RISBENCH_DATA``, else the user data folder.

    Raises:
        UsageError: there is no such split; similar names are listed.
        DataError: an own split cannot be read.
    """
    canonical = name.replace("refcocoplus_", "refcoco+_", 1) if name.startswith("refcocoplus_") else name
    if canonical in _BY_NAME:
        return _BY_NAME[canonical]
    if entry := own.entry_of(name, data_root):
        return entry
    lowered = {known.lower(): known for known in (*_BY_NAME, *own.names(data_root))}
    near = difflib.get_close_matches(canonical.lower(), lowered, n=4, cutoff=0.6)
    hint = ("near names: " if near else "known: ") + ", ".join(lowered[known] for known in near or lowered)
    raise UsageError(f"unknown split {name!r:.60}; {hint}")
