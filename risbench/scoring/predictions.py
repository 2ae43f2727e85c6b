"""Score predictions from files; neither images nor torch are needed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..datasets.choose import refuse_empty
from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import MaskError, UsageError
from ..io.plainfiles import real
from ..masks import read_together
from ..methods.answers import prediction_of
from ..methods.cards import read_card
from ..methods.geometry import Geometry
from ..metrics.rules.protocols import DEFAULT, Rules, own_size, rules_of
from ..plain import plain
from ..results import masklines
from ..results.folder import HEATS, MASKS, RunFolder
from ..results.header import ArgumentsRecord, MethodRecord
from ..results.jsonrecord import from_json
from ..results.origin import scoring_origin
from ..results.rows import Row
from ..results.run import Run
from ..results.scored import part_of, refuse_other_split
from ..running.evaluation import close, default_folder
from ..running.header import HowMade, Scope, header_of
from ..running.progress import Progress, Tally
from ..running.shown import shown
from ..running.workers import Workers, automatic
from ..scorer import missing_row, row_of
from .entries import StoredEntry
from .lines import Lines
from .names import Answered, Matched, match
from .sources import Heats, source_of

_PIECE = 16  # images that are scored at once: each is done in milliseconds, and sending or writing it costs some of one


def score(
    path: str | Path,
    split: str | Split,
    *,
    rules: str | Rules = DEFAULT,
    threshold: float | None = None,
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    card: str | Path | None = None,
    name: str | None = None,
    allow_missing: bool = False,
    progress: Callable[[Progress], None] | bool | None = True,
    workers: int | None = 0,
) -> Run:
    """Score a file or folder of predictions, or a run folder again under other rules.

    Args:
        path: ``masks.jsonl``, a COCO results array, a folder of ``<sent_id>.png`` masks or ``<sent_id>.npy`` heats, or
            a run folder.
        split: the split or its name.
        rules: the rules or their name.
        threshold: replaces the rules' threshold; only for heats.
        out: the run folder to make; by default a new one below ``runs/``.
        data_root: where the annotations lie; see `load_split`.
        card: a TOML file about the method: ``name``, ``paper``, ``supervision``, …; see `risbench.methods.cards.KEYS`.
        name: the method's name; by default the card's, else the file's.
        allow_missing: count a missing prediction as an empty mask instead of refusing.
        progress: as in `evaluate`: True shows a bar in a notebook or on a terminal, False none; or a function that is
            called after every image, or after some.
        workers: processes that read and score; 0 does it in one thread, None decides by the number of expressions. From
            a script, more than 0 needs the usual guard ``if __name__ == "__main__":``.

    Raises:
        DataError: a prediction is missing, duplicate, unknown or unreadable; it is named.
        MaskError: a prediction cannot be scored; it is named.
    """
    given = Path(path)
    about = read_card(Path(card)) if card is not None else {}
    if name is not None and not name.strip():
        raise UsageError("--name is empty: give the method's name")
    chosen = rules_of(rules, threshold)
    whole = refuse_empty(load_split(split, data_root) if isinstance(split, str) else split)
    earlier = Run.load(given) if (given / "header.json").is_file() else None
    requested = chosen.threshold
    if earlier is not None:
        before = earlier.about.method
        about = {**before.card, "name": before.name, **about}
        refuse_other_split(earlier, whole)
    chosen = chosen.for_method(about.get("threshold"))
    source = source_of(given, lambda folder: Heats(folder) if (folder / HEATS).is_dir() else Lines(folder / MASKS))
    if requested is not None and not source.has_heats:
        raise UsageError(f"--threshold cuts heats, but {given} holds masks (a run saves its heats with --save-heat)")
    for cutter in sorted(source.cuts) if isinstance(source, Lines) else ():
        if (size := own_size(cutter)) is not None and cutter != chosen.name:
            raise UsageError(
                f"{given} holds masks that the rules {cutter} cut from heats at {size[0]}x{size[1]}, but {chosen.name} "
                "scores at the image's size: run the method again with --save-heat"
            )
    part = whole if earlier is None else part_of(earlier, whole)
    if earlier is not None:
        earlier.refuse_other_count(MASKS, len(source.names))  # lost lines must not count as missing predictions
    brought = match(source, part, given, allow_missing)
    title = about.pop("name", _title(given))
    title = title if name is None else name
    how = HowMade(
        method=MethodRecord(name=title, entry_point=None, card=about),
        arguments=from_json(
            ArgumentsRecord, {"predictions": source.kind, "sha256": _hash(given), "allow_missing": allow_missing}
        ),
        origin={"scoring": scoring_origin()},
        part={"predictions": str(given)},
    )
    scope = Scope(partial=part.partial)
    if earlier is not None:
        variant = earlier.about
        scope = replace(scope, texts=variant.texts, refine=variant.refine, limit=variant.limit, chosen=variant.chosen)
    header = header_of(whole, chosen, how, scope)
    target = Path(out) if out is not None else default_folder(whole.name, title)
    if real(target) == real(given):
        raise UsageError(f"{target} holds the predictions: give another --out")
    with (
        shown(progress, f"scoring {title} on {whole.name}") as on_progress,
        RunFolder(target, header, "anew") as folder,
    ):
        folder.clear()
        images = len(part.images)
        tally, geometry = Tally(folder.rows.columns(), images, 0), Geometry()
        count = automatic(len(part), kept=0) if workers is None else workers
        work = partial(_scored, chosen, requested is not None)
        try:
            with Workers(work, min(count, images), alone=True) as scoring:
                for scored in scoring.in_order(_pieces(brought)):
                    folder.append(scored.rows, scored.lines)
                    geometry.merge(scored.geometry)
                    tally.add(scored.rows, images=scored.images)
                    if on_progress is not None:
                        on_progress(tally.progress())
        except BaseException:
            # Scoring is never continued: after the predictions are corrected, it may start again in the same folder.
            folder.forget()
            raise
        folder.note_cautions(geometry.cautions())
        del brought, source  # of a million predictions they take fifty megabytes
        close(folder, part)
    return Run.load(target)


class _Scored(NamedTuple):
    images: int
    rows: list[Row]
    lines: list[str]
    geometry: Geometry


def _pieces(brought: Matched) -> Iterator[tuple[list[list[Answered]]]]:
    """Some images at a time, each with its samples and their predictions."""
    images = brought.by_image()
    while piece := list(islice(images, _PIECE)):
        yield (piece,)


def _scored(rules: Rules, heats_only: bool, piece: Sequence[Sequence[Answered]]) -> _Scored:
    """The rows and lines of some images, in this process or in another."""
    geometry = Geometry()
    with read_together(_codes(piece)):
        both = [_scored_sample(task, rules, geometry, heats_only) for image in piece for task in image]
    return _Scored(len(piece), [row for row, _ in both], [line for _, line in both], geometry)


def _codes(piece: Sequence[Sequence[Answered]]) -> Iterator[Any]:
    """The run-length codes of some images' predictions and truths."""
    for image in piece:
        for sample, _, reading in image:
            yield from sample.parts
            if isinstance(reading, StoredEntry):
                yield reading.segmentation


def _scored_sample(task: Answered, rules: Rules, geometry: Geometry, heats_only: bool) -> tuple[Row, str]:
    sample, name, reading = task
    brought = None if reading is None else reading()
    if brought is None:
        return missing_row(sample, rules), masklines.missing_line(sample)
    assert name is not None
    if heats_only and brought.mask is not None:
        raise UsageError(
            f"--threshold cuts heats, but the mask of '{plain(name, 80)}' was made by the method itself: leave "
            "--threshold out, or score its heats at other thresholds with `risbench sweep`"
        )
    # A mask that already has the size of the rules is checked against that size.
    own = brought.mask if rules.takes(brought) else None
    wanted = sample if own is None else replace(sample, size=(own.shape[0], own.shape[1]))
    try:
        prediction = prediction_of(brought, wanted)
    except MaskError as error:
        raise MaskError(f"{error} (named '{name}')") from None
    geometry.add(sample, prediction)
    verdict = rules.judge(sample, prediction)
    return row_of(sample, verdict), masklines.line_of(sample.id, verdict.mask, prediction, verdict.point, rules.name)


def _title(path: Path) -> str:
    """The name of predictions without a name: their file's, in characters that UTF-8 can encode."""
    return os.fsencode(real(path).stem).decode("utf-8", "backslashreplace")


def _hash(path: Path) -> str:
    """One SHA-256 of all predictions: of the file, or of a folder's file names and contents in order."""
    whole = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        if file is not path:
            if file.name.startswith(".") or file.name in ("header.json", "cost.json"):
                continue  # files of a run that say where and when it was made, not what it predicted
            whole.update(os.fsencode(file.relative_to(path)) + b"\0")
        with file.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()
