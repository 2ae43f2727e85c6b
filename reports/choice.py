"""Choose the expressions that a picture shows, by a rule that its caption states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from risbench import Sample, Split, UsageError
from risbench.plugins import near
from risbench.results.rows import Row

SPREAD = "spread"
COUNT = 6
_MOST = 100
_RULES = (SPREAD, "random:SEED", "worst", "best", "disagree", "ids:ID,ID…")


def chosen_samples(
    split: Split, rows: Sequence[Mapping[str, Row]], rule: str = SPREAD, count: int | None = None
) -> tuple[list[Sample], str]:
    """The samples that a rule chooses, and the rule in words, for the caption.

    Args:
        split: the split of all rows.
        rows: each run's rows by sample id, with the same ids in each.
        rule: ``spread`` (evenly over the split's images, independent of the runs), ``random:SEED``, ``worst`` or
            ``best`` (by mean IoU over the runs), ``disagree`` (by the largest difference of IoU between runs), or
            ``ids:ID,ID…`` (the last parts of ids are enough). All but ``ids`` take one expression for each image.
        count: how many samples, by default 6.

    Raises:
        UsageError: there is no such rule or id, or the rule does not work with these runs.
    """
    name, colon, rest = rule.partition(":")
    if name == "ids" and colon:
        if count is not None:
            raise UsageError("--rows ids:… already gives the number of rows: leave --count out")
        return _named(split, rows, rest.split(","))
    count = COUNT if count is None else count
    if not 1 <= count <= _MOST:
        raise UsageError(f"--count {count}: a picture has 1 to {_MOST} rows")
    if rule == SPREAD:
        return _spread(split, rows, count), "spread evenly over the split's images, whatever the runs score"
    if name == "random" and colon:
        if not rest.isascii() or not rest.isdigit():
            raise UsageError(f"--rows {rule}: write random:SEED with a whole number, e.g. random:0")
        places = np.random.default_rng(int(rest)).permutation(len(split)).tolist()
        return _first(split, rows, places, count), f"drawn at random with seed {int(rest)}, one an image"
    iou = {ident: [row.iou for of in rows if (row := of[ident]).iou is not None] for ident in rows[0]}
    # Without a true mask, no prediction is worse or better than another.
    places = [place for place, ident in enumerate(split.ids) if iou.get(ident)]
    keys = {
        "worst": lambda ious: sum(ious),
        "best": lambda ious: -sum(ious),
        "disagree": lambda ious: min(ious) - max(ious),
    }
    if rule not in keys:
        raise UsageError(f"--rows {rule}: {near(rule, _RULES)}")
    if rule == "disagree" and len(rows) < 2:
        raise UsageError("--rows disagree compares runs: give two or more")
    if not places:
        raise UsageError(f"--rows {rule} needs IoU, but no expression of these runs has a true mask")
    # Sorting is stable, so equal ones stay in the split's order.
    places.sort(key=lambda place: keys[rule](iou[split.ids[place]]))
    several = " mean" if len(rows) > 1 else ""
    words = {
        "worst": f"the lowest{several} IoU, one an image",
        "best": f"the highest{several} IoU, one an image",
        "disagree": "the largest difference of IoU between runs, one an image",
    }
    return _first(split, rows, places, count), words[rule]


def _first(split: Split, rows: Sequence[Mapping[str, Row]], places: Sequence[int], count: int) -> list[Sample]:
    """The first samples of an order that the runs have; one for each image, because its expressions are similar."""
    taken: list[Sample] = []
    images = set()
    for place in places:
        row = rows[0].get(split.ids[place])
        if row is not None and row.image_id not in images:
            images.add(row.image_id)
            taken.append(split[place])
            if len(taken) == count:
                break
    return taken


def _spread(split: Split, rows: Sequence[Mapping[str, Row]], count: int) -> list[Sample]:
    groups = [kept for group in split.places_by_image() if (kept := [at for at in group if split.ids[at] in rows[0]])]
    places = np.linspace(0, len(groups) - 1, min(count, len(groups))).round().astype(int)
    return [split[groups[place][turn % len(groups[place])]] for turn, place in enumerate(places.tolist())]


def _named(split: Split, rows: Sequence[Mapping[str, Row]], names: Sequence[str]) -> tuple[list[Sample], str]:
    taken = []
    for name in names:
        ident = name.strip()
        if ident not in rows[0]:
            found = [known for known in rows[0] if known.endswith(f"/{ident}")] if ident else []
            if len(found) != 1:
                what = "several expressions end with it" if found else "no expression of all runs has this id"
                raise UsageError(f"--rows ids:{ident}: {what}; an id is '{split.name}/<ref_id>/<sent_id>'")
            ident = found[0]
        taken.append(split.sample(ident))
    return taken, "chosen by hand, by their ids"
