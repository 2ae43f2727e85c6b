"""Evaluate a method on a split: from a name or an object to a finished run folder."""

from __future__ import annotations

import json
import re
import secrets
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..datasets.catalog import find
from ..datasets.load import is_to_be_drawn, load_split
from ..datasets.split import Split, refuse_empty
from ..errors import DataWarning, RisbenchError, UsageError
from ..io.places import cache_folder
from ..io.plainfiles import refuse_link
from ..methods.contract import card_of, method_notes
from ..methods.factory import make
from ..methods.refine import Refined
from ..methods.texts import MODES, control_texts
from ..metrics.rules.protocols import DEFAULT, Rules, rules_of
from ..plugins import METHODS, REFINERS, installed, refuse_absent
from ..results.folder import HEADER, SHARDS, RunFolder, read_json
from ..results.identity import refuse_another
from ..results.origin import origin_of, refuse_other
from ..results.rows import left_out_counts
from ..results.run import Run
from ..scorer import summary_of
from .cost import Stopwatch
from .header import header_of, summary_record
from .loop import Progress, Settings, Stopped, run_images


def evaluate(
    method: Any,
    split: str | Split,
    *,
    rules: str | Rules = DEFAULT,
    threshold: float | None = None,
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    weights: str | None = None,
    device: str = "cpu",
    options: Mapping[str, str] | None = None,
    name: str | None = None,
    texts: str = "given",
    refine: str | None = None,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    overwrite: bool = False,
    on_message: Callable[[str], object] | None = None,
) -> Run:
    """Run a method on a split and return the run.

    Args:
        method: the name of an installed method, or any object with ``predict``.
        split: a split or its name.
        rules: the rules or their name.
        threshold: replaces the rules' threshold; with it, a method that returns masks is refused.
        out: the run folder, continued if it holds the same run; by default a new one below ``runs/``.
        data_root: where the data lie; see `load_split`.
        weights: for a method given by name: a file, or a name that the method knows.
        device: for a method given by name: ``cpu``, ``cuda`` or ``cuda:N``.
        options: for a method given by name: its options as text.
        name: the name of a method given as an object; by default its class.
        texts: ``given``, or a control: ``shuffled`` or ``empty``.
        refine: an installed refiner, which makes masks from the method's heats.
        limit: use only the first images.
        shard: ``(i, n)``: every n-th image from the i-th, written to ``out/shards/i-of-n``.
        settings: batch size, unreadable images, saved heats.
        progress: called after every image.
        stop: called after every image; if it returns True, the run stops.
        overwrite: replace the run in ``out``, whatever run it is; with ``shard`` only that shard.
        on_message: called with each note about the method before the run (see `method_notes`), with a message if the
            run is already complete, and with a message if the code of earlier rows is not recorded. By default only
            the last one is given, as a `DataWarning`.

    Raises:
        RisbenchError: what is wrong, in one line. Finished work stays, and the run can be continued.
        UsageError: ``out`` holds another run, or a run by other code.
        Stopped: ``stop`` returned True.
    """
    settings = settings or Settings()
    requested = rules_of(rules, threshold)
    refuse_wrong(texts, limit, settings.batch, refine)
    if isinstance(split, str):
        if isinstance(method, str):
            make_before_drawing(method, split, data_root, weights=weights, device=device, options=options)
        whole = load_split(split, data_root)
    else:
        whole = split
    refuse_empty(whole)
    arguments: dict[str, Any] = {"given": dict(options or {}), "defaulted": {}}
    point, values = None, {}
    if isinstance(method, str):
        title, point = method, installed(METHODS).get(method)
        built, values = make(
            method, weights=weights, device=device, split=whole.name, data_root=whole.data_root, options=options
        )
        arguments["given"] = {key: _plain(values[key]) for key in options or {}}
        arguments["defaulted"] = {key: _plain(value) for key, value in values.items() if key not in (options or {})}
        arguments["weights"] = weights
    else:
        title, built = name or type(method).__name__, method
    if settings.batch is None:
        settings = replace(settings, batch=int(getattr(built, "batch", 1)))
    refuse_wrong(texts, limit, settings.batch)  # the method may have set the batch
    card = card_of(built)
    if on_message is not None:
        for note in method_notes(built, whole.name):
            on_message(note)
    chosen = requested.for_method(card.get("threshold"))
    origin = origin_of(
        built,
        entry_point=point,
        refiner=None if refine is None else installed(REFINERS).get(refine),
        options={**values, "weights": weights},
    )
    if refine is not None:
        built = Refined(built, refine, chosen, title=title, explicit_threshold=requested.threshold is not None)
    part = whole if limit is None else refuse_empty(whole.first_images(limit))
    header = header_of(
        whole,
        chosen,
        method=title,
        entry_point=None if point is None else point.value,
        card=card,
        arguments=arguments,
        partial=part.partial,
        texts=texts,
        refine=refine,
        limit=limit,
        shard=shard,
        save_heat=settings.heat_dtype if settings.save_heat else None,
        origin=origin,
    )
    header["provenance"][0]["device"] = device
    header["provenance"][0]["method_commit"] = origin["method"]["commit"]
    if refine is not None:
        header["provenance"][0]["refiner"] = installed(REFINERS)[refine].value
    base = path = Path(out) if out is not None else default_folder(whole.name, title)
    if shard is not None:
        path = shard_folder(base, shard)
        part = part.shard(*shard)
        refuse_link(base / SHARDS)
        refuse_link(path)
        if not overwrite:
            _refuse_to_merge_into(base, header)
            if not (path / HEADER).exists():  # a shard that was begun continues, whatever other shards there are
                _refuse_beside(path, header)
    with RunFolder(path, header, "overwrite" if overwrite else "continue") as folder:
        if folder.has_unknown_rows:
            _tell_unknown(path, on_message)
        groups = [tuple(group) for group in part.by_image()]
        words = control_texts(texts, whole) if texts != "given" else None
        watch = Stopwatch(device)
        try:
            run_images(
                built,
                groups,
                folder,
                chosen,
                settings,
                watch=watch,
                texts=words,
                progress=progress,
                stop=stop,
                # With a refiner the threshold decides the masks, too.
                heats_only=threshold is not None and refine is None,
            )
        except UsageError:
            if not folder.rows:
                folder.forget()
            raise
        except BaseException as error:
            with suppress(RisbenchError):  # on a full disk the first error is the one to report
                _note(folder, watch, built)
            if isinstance(error, Stopped):
                raise Stopped(f"{error}; give the same command with --out {base} to go on") from None
            raise
        _note(folder, watch, built)
        close(folder, {sample_id: place for place, sample_id in enumerate(part.ids)})
        if folder.complete_since is not None and on_message is not None:
            on_message(f"{path}: complete since {folder.complete_since}, so nothing was run")
    return Run.load(path)


def refuse_wrong(texts: str, limit: int | None, batch: int | None, refine: str | None = None) -> None:
    """Refuse arguments that no run can have.

    Raises:
        UsageError: there is no such control or refiner, or nothing would be run.
    """
    if refine is not None:
        refuse_absent(REFINERS, refine)
    if texts not in MODES:
        raise UsageError(f"texts={texts}: must be one of {', '.join(MODES)}")
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {limit} images leaves nothing to run")
    if batch is not None and batch < 1:
        raise UsageError(f"a batch needs at least one image, not {batch}")


def make_before_drawing(method: str, split: str, data_root: str | Path | None = None, **arguments: Any) -> None:
    """Make a method once before scenes are drawn, so that wrong weights are found before these minutes, not after.

    Nothing is done for splits that need no drawing.

    Raises:
        RisbenchError: `make` refuses the arguments, or there is no such split.
    """
    entry = find(split, data_root)
    if is_to_be_drawn(entry):
        make(method, split=entry.name, data_root=cache_folder(), **arguments)


def _tell_unknown(path: Path, on_message: Callable[[str], object] | None) -> None:
    text = f"{path}: the code that made its rows is not recorded, so it may differ from the code of this run"
    if on_message is not None:
        on_message(text)
    else:
        warnings.warn(text, DataWarning, stacklevel=3)


def _refuse_to_merge_into(base: Path, header: Mapping[str, Any]) -> None:
    """Refuse before hours of work what `merge` would refuse after them.

    Raises:
        UsageError: the folder with the shards holds another run, or a run by other code.
    """
    if (base / HEADER).is_file():
        whole, old = {**header, "shard": None}, read_json(base / HEADER)
        refuse_another(base, old, json.loads(json.dumps(whole)))
        refuse_other(base, old, whole)


def _refuse_beside(path: Path, header: Mapping[str, Any]) -> None:
    """Refuse to begin a shard that `merge` could not merge with the shards that are there.

    Raises:
        UsageError: a shard belongs to another run, or to a run by other code.
    """
    for other in sorted(path.parent.glob(f"*-of-{header['shard'][1]}")):
        if other != path and (other / HEADER).is_file():
            old = read_json(other / HEADER)
            own = {**old, "shard": header["shard"]} if isinstance(old, dict) else old
            refuse_another(other, own, json.loads(json.dumps(header)))
            refuse_other(other, own, header)


def _note(folder: RunFolder, watch: Stopwatch, method: Any) -> None:
    """Record the cost of this part of the run and the method's facts, also if the run ended early."""
    if watch.images:
        folder.add_cost(watch.record(method))
    facts = getattr(method, "facts", None)
    if facts and folder.complete_since is None:
        folder.note_facts(dict(facts))


def close(folder: RunFolder, order: Mapping[str, int]) -> None:
    """Sort a run's files and write its summary."""
    metrics = summary_of(folder.rows)
    missing = sum(row.missing for row in folder.rows)
    summary = summary_record(folder.header, metrics, len(folder.rows), missing)
    folder.close(order, summary | left_out_counts(folder.rows, folder.header["rules"]["name"]))


def default_folder(split: str, method: str) -> Path:
    """A new folder's path: ``runs/<split>/<method>/<UTC time>-<4 hex>``."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    # A name may hold any characters; the folder must be one folder below `runs`.
    name = re.sub(r"[^\w+@=,() .-]", "_", method)[:100].strip(". ") or "_"
    return Path("runs") / split / name / f"{stamp}-{secrets.token_hex(2)}"


def shard_folder(out: Path, shard: tuple[int, int]) -> Path:
    """The folder of a shard.

    Raises:
        UsageError: there is no such shard.
    """
    number, count = shard
    if count < 1 or not 0 <= number < count:
        raise UsageError(f"shard {number}/{count}: must be 0/{max(count, 1)} to {max(count, 1) - 1}/{max(count, 1)}")
    return out / SHARDS / f"{number}-of-{count}"


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
