"""The work of ``data import --from``: a user's copy of a data set becomes part of the data root."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from ...errors import DataError
from ...io import places
from .parquet import import_parquet
from .placing import place, take_back
from .recognise import LOOKED_FOR, NOT_SUPPORTED, Destination, Kind, recognise, unsupported
from .report import Imported, RefusedFile, TakenFile
from .scan import FoundFile, Scan
from .state import image_names, states

Progress = Callable[[int, int], object]


_FOLDERS: dict[Kind, str] = {"coco": "train2014", "saiapr": "images/saiapr_tc-12", "referit": "referit/images"}


def import_copy(
    source: str | Path,
    data_root: str | Path | None = None,
    *,
    copy: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Import recognised files of a folder or of archives into the data root, and load the available splits.

    No file with other content is overwritten, so a second import changes nothing. Images are imported if the
    annotations in the data root name them; without annotations all images are imported.

    Args:
        source: a folder, a zip archive, or a parquet file.
        data_root: the target; by default ``$RISBENCH_DATA``, else the user data folder.
        copy: copy files instead of linking to them.
        progress: called with ``(done, total)`` images.

    Raises:
        DataError: there is no such source, or no file in it is recognised.
        OSError: the data root cannot be written.
    """
    root = places.data_root(data_root)
    report = Imported(Path(source).expanduser(), root)
    with Scan(report.source, root) as scan:
        groups: dict[Kind, list[tuple[FoundFile, Destination]]] = {}
        others: dict[str, str] = {}
        for found in scan.files():
            if (name := unsupported(found.parts)) is not None:
                others.setdefault(name, found.label)
            elif placed := recognise(found.parts):
                groups.setdefault(placed.kind, []).append((found, placed))
        report.refused += [RefusedFile(*refused) for refused in scan.refused]
        report.refused += [RefusedFile(label, f"{name} {NOT_SUPPORTED}") for name, label in others.items()]
        if others and not groups:
            raise DataError("; ".join(f"{label}: {name} {NOT_SUPPORTED}" for name, label in list(others.items())[:3]))
        if not groups:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in report.refused[:3])
            raise DataError(
                f"{report.source}: nothing recognised"
                + (f" ({reasons})" if reasons else "")
                + f"; looked for {LOOKED_FOR}"
            )
        _annotations(groups.pop("annotations", []), report, copy)
        if parquet := [found for found, _ in groups.pop("parquet", [])]:
            import_parquet(parquet, report)
        faults: dict = {}
        wanted = image_names(root, faults)
        for layout, error in faults.items():
            _undo(layout.files, error, report)
        _images(groups, wanted, report, copy, progress)
    report.splits = states(root)
    return report


def _annotations(found: Iterable[tuple[FoundFile, Destination]], report: Imported, copy: bool) -> None:
    first: dict[str, FoundFile] = {}
    for file, placed in found:
        name = str(placed.path)
        try:
            how = place(file, report.data_root / placed.path, copy)
        except DataError as error:
            reason = str(error)
            if name in first:
                reason = f"another {name} was imported, from {first[name].label}; give --from one of them to choose"
            report.refused.append(RefusedFile(file.label, reason))
            continue
        if name not in first:
            first[name] = file
            report.annotations.append(TakenFile(name, file.label, how))


def _undo(files: Iterable[Path], error: DataError, report: Imported) -> None:
    """Remove the files of this import that cannot be read together."""
    bad = {file for file in files if str(file) in str(error)} or set(files)
    # Files that were converted from one copy belong together.
    sources = {taken.source for taken in report.annotations if report.data_root / taken.place in bad}
    for taken in list(report.annotations):
        target = report.data_root / taken.place
        if taken.source in sources:
            if taken.how != "there":
                take_back(target)
            report.annotations.remove(taken)
            report.refused.append(RefusedFile(taken.source, str(error)))


def _images(
    groups: dict[Kind, list[tuple[FoundFile, Destination]]],
    wanted: set[str],
    report: Imported,
    copy: bool,
    progress: Progress | None,
) -> None:
    total, done = sum(map(len, groups.values())), 0
    for kind, found in groups.items():
        counts = report.images.setdefault(_FOLDERS[kind], Counter())
        needed = {name for name in wanted if name.startswith("COCO_") == (kind == "coco")}
        placed: set[str] = set()
        for file, where in found:
            done += 1
            if progress and done % 100 == 0:
                progress(done, total)
            name = where.path.name
            if name in placed:
                continue
            placed.add(name)
            # An image under another name is imported only if the annotations name the same image.
            if (needed or name != file.parts[-1]) and name not in needed:
                counts["not needed"] += 1
                continue
            if kind == "coco" and (report.data_root / "images/mscoco/images/train2014" / name).is_file():
                counts["there"] += 1
                continue
            try:
                counts[place(file, report.data_root / where.path, copy)] += 1
            except DataError as error:
                counts["refused"] += 1
                report.refused.append(RefusedFile(file.label, str(error)))
