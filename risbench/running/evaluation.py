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

from ..datasets.annotations.sampleids import SampleIds
from ..datasets.audit.drawable import refuse_undrawable
from ..datasets.choose import refuse_empty
from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import DataWarning, RisbenchError, UsageError
from ..io.jsonfile import read_record
from ..io.plainfiles import refuse_link
from ..methods.contract import card_of, method_notes
from ..methods.refine import Refined
from ..methods.texts import control_texts
from ..metrics.rules.protocols import DEFAULT, Rules, rules_of
from ..results.columns.rowcolumns import left_out_counts
from ..results.folder import HEADER, SHARDS, RunFolder
from ..results.header import Header
from ..results.identity import refuse_another
from ..results.jsonrecord import to_json
from ..results.origin import refuse_other
from ..results.run import Run
from ..scorer import summary_of
from .cost import Stopwatch
from .header import Scope, header_of, summary_record
from .loop import Progress, Settings, Stopped, run_images
from .made import MadeMethod, made_by_name, made_of_object, make_before_drawing
from .plan import Hooks, Plan, refuse_wrong
from .shown import shown


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
    progress: Callable[[Progress], None] | bool | None = True,
    stop: Callable[[], bool] | None = None,
    overwrite: bool = False,
    on_message: Callable[[str], object] | None = None,
) -> Run:
    """Run a method on a split and return the run.

    Args:
        method: the name of an installed method or a file, ``./mine.py:make``, or any object with ``predict``.
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
        progress: True shows a bar in a notebook or on a terminal, and nothing elsewhere; False shows none. A function
            is called after every image instead.
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
    plan = Plan(
        rules=rules_of(rules, threshold),
        threshold_given=threshold is not None,
        texts=texts,
        refine=refine,
        limit=limit,
        shard=shard,
        settings=settings or Settings(),
    )
    refuse_wrong(texts, limit, plan.settings.batch, refine)
    if isinstance(split, str):
        if isinstance(method, str):
            make_before_drawing(method, split, data_root, weights=weights, device=device, options=options)
        split = load_split(split, data_root)
    refuse_empty(split)
    if isinstance(method, str):
        made = made_by_name(method, split, weights=weights, device=device, options=options, rules=plan.rules.name)
    else:
        made = made_of_object(method, name, weights=weights, device=device, options=options)
    with shown(progress, f"{made.name} on {split.name}") as on_progress:
        hooks = Hooks(on_progress, stop, on_message)
        return evaluate_made(made, split, plan, out=out, overwrite=overwrite, hooks=hooks)


def evaluate_made(
    made: MadeMethod, whole: Split, plan: Plan, *, out: str | Path | None, overwrite: bool, hooks: Hooks
) -> Run:
    """Run a method that is made; see `evaluate`."""
    method, settings = made.method, plan.settings
    refuse_wrong(plan.texts, plan.limit, settings.images_at_once(method))  # the method may have chosen the batch
    if hooks.on_message is not None:
        for note in method_notes(method, whole.name):
            hooks.on_message(note)
    rules = plan.rules.for_method(card_of(method).get("threshold"))
    how = made.how(plan.refine)
    if plan.refine is not None:
        method = Refined(
            method, plan.refine, rules, title=made.name, explicit_threshold=plan.rules.threshold is not None
        )
    part = whole if plan.limit is None else refuse_empty(whole.first_images(plan.limit))
    scope = Scope(
        partial=part.partial,
        texts=plan.texts,
        refine=plan.refine,
        limit=plan.limit,
        shard=plan.shard,
        save_heat=settings.heat_dtype if settings.save_heat else None,
    )
    header = header_of(whole, rules, how, scope)
    base = path = Path(out) if out is not None else default_folder(whole.name, made.name)
    if plan.shard is not None:
        path = shard_folder(base, plan.shard)
        part = part.shard(*plan.shard)
        refuse_link(base / SHARDS)
        refuse_link(path)
        if not overwrite:
            _refuse_to_merge_into(base, header)
            if not (path / HEADER).exists():  # a shard that was begun continues, whatever other shards there are
                _refuse_beside(path, header)
    refuse_undrawable(part)
    with RunFolder(path, header, "overwrite" if overwrite else "continue") as folder:
        if folder.has_unknown_rows:
            _tell_unknown(path, hooks.on_message)
        words = control_texts(plan.texts, whole) if plan.texts != "given" else None
        watch = Stopwatch(made.device)
        try:
            run_images(
                method,
                part,
                folder,
                rules,
                settings,
                watch=watch,
                texts=words,
                progress=hooks.progress,
                stop=hooks.stop,
                # With a refiner the threshold decides the masks, too.
                heats_only=plan.threshold_given and plan.refine is None,
            )
        except UsageError:
            if not folder.rows:
                folder.forget()
            raise
        except BaseException as error:
            with suppress(RisbenchError):  # on a full disk the first error is the one to report
                _note(folder, watch, method)
            if isinstance(error, Stopped):
                raise Stopped(f"{error}; give the same command with --out {base} to go on") from None
            raise
        _note(folder, watch, method)
        close(folder, part)
        if folder.complete_since is not None and hooks.on_message is not None:
            hooks.on_message(f"{path}: complete since {folder.complete_since}, so nothing was run")
    return Run.load(path)


def _tell_unknown(path: Path, on_message: Callable[[str], object] | None) -> None:
    text = f"{path}: the code that made its rows is not recorded, so it may differ from the code of this run"
    if on_message is not None:
        on_message(text)
    else:
        warnings.warn(text, DataWarning, stacklevel=4)


def _refuse_to_merge_into(base: Path, header: Header) -> None:
    """Refuse before hours of work what `merge` would refuse after them.

    Raises:
        UsageError: the folder with the shards holds another run, or a run by other code.
    """
    if (base / HEADER).is_file():
        _refuse_unlike(base, read_record(base / HEADER), replace(header, shard=None))


def _refuse_beside(path: Path, header: Header) -> None:
    """Refuse to begin a shard that `merge` could not merge with the shards that are there.

    Raises:
        UsageError: a shard belongs to another run, or to a run by other code.
    """
    assert header.shard is not None
    for other in sorted(path.parent.glob(f"*-of-{header.shard[1]}")):
        if other != path and (other / HEADER).is_file():
            old = read_record(other / HEADER)
            _refuse_unlike(other, {**old, "shard": list(header.shard)} if isinstance(old, dict) else old, header)


def _refuse_unlike(path: Path, old: Any, new: Header) -> None:
    refuse_another(path, old, json.loads(json.dumps(to_json(new))))
    refuse_other(path, old.get("origin"), new.origin)


def _note(folder: RunFolder, watch: Stopwatch, method: Any) -> None:
    """Record the cost of this part of the run and the method's facts, also if the run ended early."""
    if watch.images:
        folder.add_cost(watch.record(method))
    facts = getattr(method, "facts", None)
    if facts and folder.complete_since is None:
        folder.note_facts(dict(facts))


def close(folder: RunFolder, part: Split) -> None:
    """Sort a run's files in the order of its part of the split, and write its summary."""
    rows = folder.rows.columns()
    summary = summary_record(folder.header, summary_of(rows), len(rows), int(rows.missing.sum()))
    folder.close(SampleIds.of(part.each_id()), summary | left_out_counts(rows, folder.header.rules.name))


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
