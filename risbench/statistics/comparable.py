"""Which runs can be compared: those with the same expressions and truth, from the same files, under the same rules."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from ..plain import counted, plain
from ..results.header import SplitRecord, TruthRecord
from ..results.run import Run


def mismatch(first: Run, other: Run) -> str | None:
    """Why two runs cannot be compared, in words; None if they can.

    Thresholds may differ: under ``clean`` they are the methods' own, and under other rules tables print them.
    """
    a, b = first.about, other.about
    if a.split.name != b.split.name:
        return f"different splits ({a.split.name} and {b.split.name})"
    if a.split.sources != b.split.sources or a.split.counts != b.split.counts:
        return f"different copies of {a.split.name} ({_copies(a.split, b.split)})"
    if a.truth != b.truth:
        return f"different truths ({truth_name(first)} and {truth_name(other)})"
    if a.rules.name != b.rules.name:
        return f"different rules ({a.rules.name} and {b.rules.name})"
    if a.rules.version != b.rules.version:
        return f"different versions of the rules {a.rules.name}"
    if a.limit != b.limit:
        return f"different limits ({limit_of(first)} and {limit_of(other)})"
    if a.chosen != b.chosen:
        return f"different choices of samples ({a.chosen or 'all'} and {b.chosen or 'all'})"
    if a.shard != b.shard:
        return "different shards (merge them first)"
    return None


def refuse_mixture(runs: Sequence[Run], what: str = "one table cannot hold both") -> None:
    """Refuse runs that cannot be compared.

    Raises:
        UsageError: two of them differ, with the difference.
    """
    for run in runs[1:]:
        if found := mismatch(runs[0], run):
            raise UsageError(f"{runs[0].path} and {run.path} are of {found}: {what}")


def limit_of(run: Run) -> str:
    """How much of the split was run, in words."""
    limit = run.about.limit
    return "all images" if limit is None else f"the first {counted(limit, 'image')}"


def truth_name(run: Run) -> str:
    """The source of the true masks of a run, in a few words."""
    truth = run.about.truth
    if truth is None:
        return "the annotated masks"
    return f"{plain(truth.file, 60)} {truth.sha256[:8]}{' alone' if truth.only else ''}"


def truth_note(truth: TruthRecord | None, is_part: bool = False) -> str | None:
    """The note under every figure that was scored on other masks than the annotated ones; None for annotated masks.

    Args:
        truth: where the masks came from.
        is_part: whether a part of the split was run.
    """
    if truth is None:
        return None
    rest = ""
    if truth.replaces < truth.of:
        rest = ", the others are left out" if truth.only else ", the others keep the annotated ones"
    whole = " of the whole split" if is_part else ""
    return (
        f"OTHER TRUTH: the masks of {truth.replaces} of {truth.of} expressions{whole} are those of "
        f"{plain(truth.file, 60)} (SHA-256 {truth.sha256[:12]}){rest}; not comparable with published figures"
    )


def _copies(a: SplitRecord, b: SplitRecord) -> str:
    for key in ("images", "refs", "expressions"):
        ours, theirs = getattr(a.counts, key), getattr(b.counts, key)
        if ours != theirs:
            return f"{ours} and {theirs} {key}"
    ours, theirs = ({source.file: source.sha256 for source in split.sources} for split in (a, b))
    differing = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return f"{', '.join(differing)} differ" if differing else "their files differ"
