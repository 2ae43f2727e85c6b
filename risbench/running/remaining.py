"""The images that a run has not done yet: all of a new run, the rest of one that goes on."""

from __future__ import annotations

import numpy as np

from ..datasets.annotations.sampleids import SampleIds
from ..datasets.choose import images_with, of_images
from ..datasets.split import Split
from ..results import heats
from ..results.folder import RunFolder


def remaining(split: Split, folder: RunFolder, save_heat: bool) -> Split:
    """The samples of the images that a folder does not hold yet; rows that they replace are forgotten.

    An image of which a killed run wrote only some expressions is done again completely, and so is one that was skipped
    because it could not be read, for somebody may have repaired it.

    Args:
        split: all that is to be run.
        folder: where the rows are.
        save_heat: whether an image with a broken file of heats is done again.
    """
    known = folder.rows.columns()
    done = np.zeros(len(split), dtype=bool)
    places = np.zeros(0, np.int64)
    if len(known):
        places = known.ids.places_in(SampleIds.of(split.each_id()))
        done[places[(places >= 0) & ~known.missing]] = True
    wanted = images_with(split, ~done)
    if save_heat:
        for number, image_id in enumerate(split.images):
            wanted[number] = wanted[number] or heats.is_broken(folder.path, image_id)
    rest = of_images(split, wanted, ", what remains")
    again = np.append(np.isin(split.rows, rest.rows), False)  # the last for rows that are not of the split
    folder.rows.keep(~again[places])
    return rest
