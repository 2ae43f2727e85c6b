"""Every kind of file that strangers hand over, and what reads it; those with weights are in `targets_weights`."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mutation import json_of, lines_of
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.annotations import code_of, rectangle, refer_content, write_referit_as_pickles
from helpers.small import small_split
from made_up.methods import Heats, Masks

from risbench import RisbenchError, Run, Scorer, Settings, evaluate
from risbench.datasets.annotations.refer import read_refer
from risbench.datasets.annotations.referit import read_referit
from risbench.datasets.annotations.table import AnnotationTable
from risbench.datasets.images import read_image
from risbench.leaderboard.board import rankings_of
from risbench.leaderboard.entry import file_name, make_entry
from risbench.leaderboard.entry import read as read_entry
from risbench.masks import decode, encode, parts_of, size_of
from risbench.methods.cards import read_card
from risbench.metrics.metric_names import parse_all
from risbench.results import heats
from risbench.results.columns.rowcolumns import columns_of
from risbench.scorer import summary_of
from risbench.scoring.files import read_array
from risbench.scoring.pictures import read_mask
from risbench.scoring.sources import PredictionSource, source_of


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        name: of the kind.
        place: where the file lies, below the worker's folder.
        seeds: files that are right.
        read: reads one as the product does.
        values: what the seeds hold, for changes of values; none for files that are bytes alone.
        write: makes a file of such a value; None pickles it.
        wrap: makes the file of what the seeds and their neighbours hold.
        does: what its own code is known to do, by audit event.
        reserves: whether a library reserves memory that it never fills, so that only what was filled counts.
    """

    name: str
    place: str
    seeds: Sequence[bytes]
    read: Callable[[Path], Any]
    values: Sequence[Any] = ()
    write: Callable[[Any], bytes] | None = None
    wrap: Callable[[bytes], bytes] = bytes
    does: tuple[str, ...] = ()
    reserves: bool = False


def targets(folder: Path, names: Sequence[str]) -> Iterator[Target]:
    """The targets of these names, with what they need beside them."""
    for name in names:
        make = _MADE.get(name)
        if make is None:
            from targets_weights import MADE

            make = MADE[name]
        yield make(folder, name)


def _codes(folder: Path, name: str) -> Target:
    values = [code_of(rectangle((40, 60), 10, 5, 30, 25)), {"size": [40, 60], "counts": [100, 7, 33, 9, 2251]}]
    values += [list(values), [[10, 5, 30, 5, 30, 25.5], [12, 7, 40, 7, 40, 30, 12, 30]]]

    def read(path: Path) -> None:
        with suppress(ValueError, RecursionError):
            value = json.loads(path.read_bytes())
            with suppress(RisbenchError):
                decode(value)
            with suppress(RisbenchError):
                parts_of(value, size_of(value))
            for part in parts_of(value, (40, 60)):
                decode(part)

    return Target(name, "code.json", [json_of(value) for value in values], read, values, json_of)


def _rows(folder: Path, name: str) -> Target:
    run = _run(folder / name)
    seed = (run.path / "rows.jsonl").read_bytes()
    values = [[json.loads(line) for line in seed.splitlines()]]

    def read(path: Path) -> None:
        rows = Run.load(path.parent).rows()
        columns_of(rows)
        summary_of(rows, parse_all("mIoU,PointIt,Accbox"))

    return Target(name, f"{name}/rows.jsonl", [seed], read, values, lines_of)


def _lines(folder: Path, name: str) -> Target:
    """Masks by line: of a run, and of somebody who has sent_ids only."""
    run = _run(folder / name)
    split = small_split(folder / name / "data", 3)
    own = [line for _, line in run.masks()]
    brought = [{"sent_id": s.sent_id, "segmentation": encode(np.ones(s.size, bool))} for s in split]

    def read(path: Path) -> None:
        _score(source_of(path), split)

    values = [own, brought]
    if name == "array":
        return Target(name, "array.json", [json_of(v) for v in values], read, values, json_of)
    return Target(name, "masks.jsonl", [lines_of(v) for v in values], read, values, lines_of)


def _score(source: PredictionSource, split: Any) -> None:
    scorer = Scorer("clean")
    for sample in split:
        for place in [at for at, name in enumerate(source.names) if name in {sample.id, str(sample.sent_id)}]:
            brought = source.task(place, sample.image_id)()
            if brought is not None and sample.id not in {row.id for row in scorer.rows}:
                scorer.add(sample, brought)


def _instances(folder: Path, name: str) -> Target:
    instances, refs = refer_content()
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))

    def read(path: Path) -> None:
        _all_of(read_refer(folder / "refs(unc).p", path))

    return Target(name, "instances.json", [json_of(instances)], read, [instances], json_of)


def _refs(folder: Path, name: str) -> Target:
    instances, refs = refer_content()
    (folder / "instances.json").write_bytes(json_of(instances))
    numbers = [{**refs[0], "ref_id": np.int64(7), "box": np.arange(4.0)}, *refs[1:]]
    seeds = [pickle.dumps(value, protocol=p) for value in (refs, numbers) for p in (0, 2, 4)]

    def read(path: Path) -> None:
        _all_of(read_refer(path, folder / "instances.json"))

    return Target(name, "refs.p", [*seeds, *_traps(folder)], read, [refs])


def _referit(folder: Path, name: str) -> Target:
    place = write_referit_as_pickles(folder / name) / "referit" / "annotations" / "test.pickle"
    seed = place.read_bytes()
    value = pickle.loads(seed)

    def read(path: Path) -> None:
        _all_of(read_referit(path))

    return Target(name, "test.pickle", [seed, pickle.dumps(value, 0), *_traps(folder)], read, [value])


def _traps(folder: Path) -> list[bytes]:
    """Pickles that would act; a neighbour of one may be one."""
    mark = str(folder / "ran").encode()
    return [
        b"cos\nmkdir\n(S'" + mark + b"'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x01x\x85R.",
        b"\x80\x02(" + b"c_codecs\nencode\nq\x00X\x04\x00\x00\x00abcdq\x01\x85q\x02" + b"h\x00h\x02R" * 9 + b"t.",
        b"\x80\x02]q\x00" + b"]q\x01h\x00ah\x00aq\x00" * 20 + b".",
    ]


def _all_of(table: AnnotationTable) -> None:
    """What a split would ask of a table: every text, id, box and mask."""
    table.agree()
    for row in range(len(table.ann_id)):
        with suppress(RisbenchError):
            for part in table.outlines.parts(row, table.size(int(table.ann_image[row]))):
                decode(part)
        _ = table.ann_id[row], table.ann_category[row]
    for row in range(len(table.sent_id)):
        _ = table.sent_id[row], table.sent_text[row], table.sent_tags[row]
    for row in range(len(table.ref_id)):
        _ = table.ref_id[row], table.ref_split[row]
    for row in range(len(table.image_id)):
        _ = table.image_id[row], table.image_file[row]


def _pictures(folder: Path, name: str) -> Target:
    mask = Image.fromarray(np.kron(np.eye(6, dtype=np.uint8), np.full((8, 8), 255, np.uint8)))
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    seeds = [_saved(kind, "PNG") for kind in (mask, mask.convert("1"), mask.convert("P"))]
    if name == "mask":
        # What PIL would hand to Ghostscript, if it were asked to guess.
        seeds.append(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 60\n%%EndComments\nshowpage\n%%EOF\n")
        return Target(name, "1.png", seeds, read_mask, reserves=True)
    seeds = [_saved(colours, kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM")] + seeds
    return Target(name, "image.jpg", seeds, read_image, reserves=True)


def _saved(picture: Image.Image, kind: str) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind)
    return held.getvalue()


def _heat(folder: Path, name: str) -> Target:
    split = small_split(folder / name / "data", 1)
    sample = next(iter(split))
    generator = np.random.default_rng(0)
    seeds = []
    for kind in ("f2", "f4", "f8", ">f4"):
        held = io.BytesIO()
        np.save(held, generator.standard_normal((5, 7)).astype(kind))
        seeds.append(held.getvalue())

    def read(path: Path) -> None:
        Scorer("clean").add(sample, read_array(path))

    return Target(name, "1.npy", seeds, read)


def _kept_heats(folder: Path, name: str) -> Target:
    heats.save(
        folder / name, 1, {"a/1/2": np.ones((5, 7), np.float32), "a/1/3": np.zeros((2, 2), np.float32)}, "float32"
    )
    seeds = [(folder / name / "heats" / "1.npz").read_bytes()]
    return Target(name, f"{name}/heats/1.npz", seeds, lambda path: heats.load(folder / name, 1))


def _cards(folder: Path, name: str) -> Target:
    seed = b'name = "Mine"\npaper = "here"\nthreshold = 0.4\nreads = ["box"]\nextra_data = ["SAM"]\n'
    return Target(name, "card.toml", [seed], read_card)


def _reports(run: Run) -> None:
    from reports.tables.as_csv import render as csv
    from reports.tables.as_json import render as as_json
    from reports.tables.markdown import render as markdown

    for render in (markdown, csv, as_json):
        render([run], efficiency=True) if render is not csv else render([run])


def _record(folder: Path, name: str) -> Target:
    """The JSON files of a run: header, summary, cost."""
    run = _run(folder / name)
    file = f"{name}.json"
    seed = (run.path / file).read_bytes()

    def read(path: Path) -> None:
        loaded = Run.load(path.parent)
        loaded.rows()
        loaded.cost()
        _reports(loaded)

    return Target(name, f"{name}/{file}", [seed], read, [json.loads(seed)], json_of)


def _entry(folder: Path, name: str) -> Target:
    run = _run(folder / name)
    entry = make_entry(run, {"rows": "0" * 64, "masks": "1" * 64})
    place = f"board/{entry['split']}/{file_name(entry['method'])}"

    def read(path: Path) -> None:
        from reports.board import markdown

        markdown(rankings_of([read_entry(path)], parse_all("mIoU,PointM")))

    return Target(name, place, [json_of(entry)], read, [entry], json_of)


_RUNS: dict[str, Path] = {}


def _run(folder: Path) -> Run:
    """A small run, made once and copied."""
    if "run" not in _RUNS:
        base = folder.parent
        split = small_split(base / "small", 3)
        _RUNS["run"] = evaluate(Heats(), split, out=base / "a-run", settings=Settings(save_heat=True)).path
        _RUNS["masks"] = evaluate(Masks(), split, out=base / "b-run").path
    shutil.copytree(_RUNS["run"], folder, dirs_exist_ok=True)
    return Run.load(folder)


_MADE: dict[str, Callable[[Path, str], Target]] = {
    "codes": _codes, "rows": _rows, "lines": _lines, "array": _lines, "instances": _instances, "refs": _refs,
    "referit": _referit, "mask": _pictures, "image": _pictures, "heat": _heat, "npz": _kept_heats, "card": _cards,
    "header": _record, "summary": _record, "cost": _record, "entry": _entry,
}  # fmt: skip
NAMES = tuple(_MADE)
