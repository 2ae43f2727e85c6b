"""The loop of a run: read images ahead, predict, score while the next image is predicted, append to the run folder.

Images are the unit of work. An image is read and encoded once for all its expressions, and a killed run loses at most
the images that are in progress. Reading has threads, scoring a thread or processes; memory holds a few images.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..datasets.split import Split
from ..errors import RisbenchError, UsageError
from ..faults import Watched
from ..methods.answers import predictions_of
from ..methods.contract import inner_of, reads
from ..methods.geometry import Geometry
from ..metrics.rules.protocols import Rules
from ..plain import counted
from ..records import Prediction
from ..results import heats, masklines
from ..results.folder import RunFolder
from ..results.rows import Row
from ..scorer import missing_row, row_of
from .cost import Stopwatch
from .progress import Progress, Tally
from .reading import LARGE, READERS, Group, batches_of, read_ahead
from .remaining import remaining
from .workers import Workers, automatic


class Stopped(RisbenchError):
    """The user requested a stop; what was done is written."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run.

    Attributes:
        batch: images per call of ``predict_many``; methods without it get one image at a time. None means the
            method's attribute ``batch``, or 1 if it has none; then batches have fewer images where these are large,
            and a method on a CPU gets few at first, so that the progress is seen at once.
        skip_bad: record an image that cannot be read as missing instead of stopping.
        save_heat: keep heats.
        heat_dtype: ``float32`` or ``float16``.
        workers: processes that score; 0 scores in a thread. None decides by the number of expressions and by what the
            method computes on. From a script, more than 0 needs the usual guard ``if __name__ == "__main__":``.
    """

    batch: int | None = None
    skip_bad: bool = False
    save_heat: bool = False
    heat_dtype: str = "float32"
    workers: int | None = 0

    def images_at_once(self, method: Any) -> int:
        """The number of images in a batch of this method."""
        return int(getattr(method, "batch", 1)) if self.batch is None else self.batch


class _Unreadable:
    """Marks an image that was skipped because it cannot be read; None would be a wrong answer of the method."""


class _Scored(NamedTuple):
    rows: list[Row]
    masks: list[str]
    geometry: Geometry


class _How(NamedTuple):
    """What scoring an image needs beside the image and the answer."""

    folder: Path
    rules: Rules
    heat_dtype: str | None
    heats_only: bool


def run_images(
    method: Any,
    split: Split,
    folder: RunFolder,
    rules: Rules,
    settings: Settings,
    *,
    watch: Stopwatch,
    texts: Mapping[str, str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    heats_only: bool = False,
) -> None:
    """Predict and score the images that a folder does not hold yet; samples are made when their images are reached.

    Args:
        method: see `risbench.methods.contract.Method`.
        split: the samples.
        folder: where rows and masks go.
        rules: how to score.
        settings: how to run.
        watch: counts what is predicted, also if the run ends early.
        texts: other texts by sample id, if a control is run.
        progress: called after every image.
        stop: called after every image; if it returns True, the run ends, and everything done so far is written.
        heats_only: refuse masks, because the user chose a threshold, which does not apply to them.

    Raises:
        Stopped: ``stop`` returned True.
        DataError: an image cannot be read; the sample is named.
        MaskError: a prediction cannot be scored; the sample is named.
        UsageError: a prediction is a mask although ``heats_only`` is set.
    """
    rest = remaining(split, folder, settings.save_heat)
    images, left = len(split.images), len(rest.images)
    tally = Tally(folder.rows.columns(), images, images - left)
    geometry = Geometry()
    how = _How(folder.path, rules, settings.heat_dtype if settings.save_heat else None, heats_only)
    at_once = settings.images_at_once(method)
    if settings.batch is None:
        batches = batches_of(rest.by_image(), at_once, first=1 if watch.on_cpu else at_once, most=LARGE)
    else:
        batches = batches_of(rest.by_image(), at_once, first=at_once, most=None)
    count = settings.workers
    if count is None:
        count = automatic(len(rest), kept=None if watch.on_cpu else 2)
    with ThreadPoolExecutor(READERS, "read") as readers, Workers(_score, min(count, left)) as scoring:
        pending: deque[Future[_Scored]] = deque()

        def write() -> None:
            scored = scoring.result(pending.popleft())
            geometry.merge(scored.geometry)
            _write(folder, scored, tally, progress)

        try:
            for batch in read_ahead(batches, readers, settings.skip_bad):
                for group, answer, seconds in _predicted(method, batch, texts):
                    # Checked here, for what a method returns need not be something that can be sent to a process.
                    predictions = None if isinstance(answer, _Unreadable) else predictions_of(answer, group)
                    pending.append(scoring.submit(how, group, predictions, seconds))
                    if predictions is not None:
                        watch.count(len(group), seconds * len(group))
                while pending and (pending[0].done() or len(pending) > 2 * max(at_once, scoring.count)):
                    write()
                if stop is not None and stop():
                    break
        finally:
            # Finished predictions are written even if the next image fails; an error in scoring is raised here.
            while pending:
                write()
            folder.note_cautions(geometry.cautions())
    if len(folder.rows) < len(split):
        raise Stopped(f"stopped after {tally.done} of {counted(images, 'image')}")


def _write(folder: RunFolder, scored: _Scored, tally: Tally, progress: Callable[[Progress], None] | None) -> None:
    folder.append(scored.rows, scored.masks)
    tally.add(scored.rows, images=1)
    if progress is not None:
        progress(tally.progress())


def _predicted(
    method: Any,
    batch: Sequence[tuple[Group, np.ndarray | None]],
    texts: Mapping[str, str] | None,
) -> Iterator[tuple[Group, Any, float]]:
    """Each image's samples, the method's answer (or `_Unreadable`) and the seconds per expression."""
    good = [(group, image) for group, image in batch if image is not None]
    texts_of_images = [[sample.text if texts is None else texts[sample.id] for sample in group] for group, _ in good]
    answers: list[tuple[Any, float]] = []
    sees = bool(reads(method))
    if len(good) > 1 and hasattr(method, "predict_many"):
        start = time.perf_counter()
        with _watched(method, [group for group, _ in good]):
            extra = {"samples": [group for group, _ in good]} if sees else {}
            many = method.predict_many([image for _, image in good], texts_of_images, **extra)
        each = (time.perf_counter() - start) / sum(len(group) for group, _ in good)
        count = len(many) if hasattr(many, "__len__") else None
        if count != len(good):
            found = type(many).__name__ if count is None else counted(count, "answer")
            first = good[0][0][0].image_path
            expected = counted(len(good), "image")
            raise RisbenchError(f"predict_many returned {found} for {expected}, the first being {first}")
        answers = [(answer, each) for answer in many]
    else:
        for (group, image), words in zip(good, texts_of_images, strict=True):
            start = time.perf_counter()
            with _watched(method, [group]):
                answer = method.predict(image, words, **({"samples": group} if sees else {}))
            answers.append((answer, (time.perf_counter() - start) / len(group)))
    found = iter(answers)
    for group, image in batch:
        yield (group, _Unreadable(), 0.0) if image is None else (group, *next(found))


def _watched(method: Any, groups: Sequence[Group]) -> Watched:
    """Adds the images' names to any exception of a method."""
    names = ", ".join(f"{group[0].id} (image {group[0].image_path})" for group in groups)
    return Watched(f"predicting {names}", inner_of(method))


def _score(how: _How, group: Group, predictions: Sequence[Prediction] | None, seconds: float) -> _Scored:
    """The rows and lines of one image, in a thread or in another process; None stands for an unreadable image."""
    geometry, rules = Geometry(), how.rules
    if predictions is None:
        rows = [missing_row(sample, rules) for sample in group]
        return _Scored(rows, [masklines.missing_line(sample) for sample in group], geometry)
    rows, lines, kept = [], [], {}
    for sample, prediction in zip(group, predictions, strict=True):
        if how.heats_only and prediction.mask is not None:
            raise UsageError(
                f"prediction for {sample.id}: --threshold cuts heats, but this method returns masks: "
                "leave --threshold out, or give the method's own option with --set"
            )
        geometry.add(sample, prediction)
        verdict = rules.judge(sample, prediction)
        rows.append(row_of(sample, verdict, seconds))
        lines.append(masklines.line_of(sample.id, verdict.mask, prediction, verdict.point, rules.name))
        if how.heat_dtype is not None and prediction.heat is not None:
            kept[sample.id] = prediction.heat
    if kept:
        assert how.heat_dtype is not None
        heats.save(how.folder, group[0].image_id, kept, how.heat_dtype)
    return _Scored(rows, lines, geometry)
