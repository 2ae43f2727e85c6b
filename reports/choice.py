"""Choose the expressions that a picture shows, by a rule that its caption states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from risbench import Sample, Split, UsageError
from risbench.datasets.annotations.sampleids import SampleIds
from risbench.datasets.choose import images_with
from risbench.plugins import near
from risbench.results.columns.rowcolumns import RowColumns

SPREAD = "spread"
COUNT = 6
_MOST = 100
_RULES = (SPREAD, "random:SEED", "worst", "best", "disagree", "ids:ID,ID…")


def chosen_samples(
    split: Split, runs: Sequence[RowColumns], rule: str = SPREAD, count: int | None = None
) -> tuple[list[Sample], str]:
    """The samples that a rule chooses, and the rule in words, for the caption.

    Args:
        split: the split of all rows.
        runs: each run's rows, of the same expressions in the same order; see `reports.about.common_columns`.
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
        return _named(split, runs[0].ids, rest.split(","))
    count = COUNT if count is None else count
    if not 1 <= count <= _MOST:
        raise UsageError(f"--count {count}: a picture has 1 to {_MOST} rows")
    # The row of each sample of the split; -1 for a sample that not every run has.
    row_of = SampleIds.of(split.each_id()).places_in(runs[0].ids)
    if rule == SPREAD:
        return _spread(split, row_of, count), "spread evenly over the split's images, whatever the runs score"
    if name == "random" and colon:
        if not rest.isascii() or not rest.isdigit():
            raise UsageError(f"--rows {rule}: write random:SEED with a whole number, e.g. random:0")
        places = np.random.default_rng(int(rest)).permutation(len(split))
        return _first(split, row_of, places, count), f"drawn at random with seed {int(rest)}, one an image"
    if rule not in ("worst", "best", "disagree"):
        raise UsageError(f"--rows {rule}: {near(rule, _RULES)}")
    if rule == "disagree" and len(runs) < 2:
        raise UsageError("--rows disagree compares runs: give two or more")
    ious = np.stack([run.iou for run in runs])
    # Without a true mask, no prediction is worse or better than another.
    known = np.logical_not(np.isnan(ious).all(axis=0))
    places = np.flatnonzero((row_of >= 0) & known[row_of])
    if not len(places):
        raise UsageError(f"--rows {rule} needs IoU, but no expression of these runs has a true mask")
    ious = ious[:, row_of[places]]
    if rule == "disagree":
        keys = np.nanmin(ious, axis=0) - np.nanmax(ious, axis=0)
    else:
        keys = np.zeros(len(places))
        for each in ious:  # one after the other, so that sums are rounded alike for any number of runs
            keys += np.nan_to_num(each)
        keys = keys if rule == "worst" else -keys
    # Sorting is stable, so equal ones stay in the split's order.
    places = places[np.argsort(keys, kind="stable")]
    several = " mean" if len(runs) > 1 else ""
    words = {
        "worst": f"the lowest{several} IoU, one an image",
        "best": f"the highest{several} IoU, one an image",
        "disagree": "the largest difference of IoU between runs, one an image",
    }
    return _first(split, row_of, places, count), words[rule]


def _first(split: Split, row_of: np.ndarray, places: np.ndarray, count: int) -> list[Sample]:
    """The first samples of an order that the runs have; one for each image, because its expressions are similar."""
    taken: list[Sample] = []
    images = set()
    of_samples = split.sample_images
    for place in places[row_of[places] >= 0].tolist():
        if (image := int(of_samples[place])) not in images:
            images.add(image)
            taken.append(split[place])
            if len(taken) == count:
                break
    return taken


def _spread(split: Split, row_of: np.ndarray, count: int) -> list[Sample]:
    groups = (kept for group in split.places_by_image() if (kept := [at for at in group if row_of[at] >= 0]))
    total = int(np.count_nonzero(images_with(split, row_of >= 0)))
    wanted = np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()
    found = {number: group for number, group in enumerate(groups) if number in wanted}
    return [split[found[number][turn % len(found[number])]] for turn, number in enumerate(wanted)]


def _named(split: Split, ids: SampleIds, names: Sequence[str]) -> tuple[list[Sample], str]:
    taken = []
    for name in names:
        ident = name.strip()
        ends = [known for known in ids if known == ident or known.endswith(f"/{ident}")] if ident else []
        found = [ident] if ident in ends else ends
        if len(found) != 1:
            what = "several expressions end with it" if found else "no expression of all runs has this id"
            raise UsageError(f"--rows ids:{ident}: {what}; an id is '{split.name}/<ref_id>/<sent_id>'")
        taken.append(split.sample(found[0]))
    return taken, "chosen by hand, by their ids"
