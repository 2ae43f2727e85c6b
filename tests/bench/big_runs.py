"""Made-up run folders of any size over a made-up REFER set, written in a stream; `tests/bench/reports.py` times them.

The set is that of `tests/bench/datasets.py`: 142,000 expressions. More are made by repetition: images, refs, sentences
and the objects that refs name are there again with new ids, so that every part of the work grows.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from bench.datasets import EXPRESSIONS, make_up
from helpers.runs import write_run
from helpers.samples import blobs

from risbench import Split, load_split
from risbench.masks import encode
from risbench.metrics.metric_names import parse_all
from risbench.results.jsonrecord import to_json
from risbench.results.scored import split_record
from risbench.statistics.summary import summarise

SPLIT = "refcoco_train"
_SIZE = (480, 640)
_MASKS = 300  # different masks that the runs' answers are taken from


def made_up_split(root: Path, expressions: int) -> Split:
    """Write a set of at least so many expressions below a data root, and load its split."""
    make_up(root)
    copies = -(-expressions // EXPRESSIONS)
    if copies > 1:
        _repeat(root / "refer" / "refcoco", copies, expressions)
    return load_split(SPLIT, root)


def _repeat(folder: Path, copies: int, expressions: int) -> None:
    with (folder / "refs(unc).p").open("rb") as file:
        refs = pickle.load(file)
    whole = json.loads((folder / "instances.json").read_text())
    ann_of = {ann["id"]: ann for ann in whole["annotations"]}
    images, more = list(whole["images"]), []
    for turn in range(1, copies):
        step = 10_000_000 * turn
        whole["images"] += [{**one, "id": one["id"] + step} for one in images]
        for one in refs:
            ann = ann_of[one["ann_id"]]
            ids = {"id": ann["id"] + step, "image_id": ann["image_id"] + step}
            whole["annotations"].append({**ann, **ids})
            sentences = [{**each, "sent_id": each["sent_id"] + step} for each in one["sentences"]]
            ids = {"ref_id": one["ref_id"] + step, "ann_id": one["ann_id"] + step, "image_id": one["image_id"] + step}
            more.append({**one, **ids, "sentences": sentences, "sent_ids": [each["sent_id"] for each in sentences]})
    kept, count = [], 0
    for one in refs + more:
        if count >= expressions:
            break
        kept.append(one)
        count += len(one["sentences"])
    (folder / "instances.json").write_text(json.dumps(whole))
    (folder / "refs(unc).p").write_bytes(pickle.dumps(kept, protocol=2))


def made_up_runs(base: Path, split: Split, count: int) -> list[Path]:
    """Write some runs over a split; their answers are right a bit more often from run to run."""
    generator = np.random.default_rng(0)
    masks = [json.dumps(encode(blobs(generator, _SIZE, 0.1, 20.0))) for _ in range(_MASKS)]
    return [_made_up_run(base / f"method{number}", split, number, masks) for number in range(count)]


def _made_up_run(folder: Path, split: Split, number: int, masks: list[str]) -> Path:
    write_run(folder, [[0.5]], method=f"method {number}", split=split.name)  # its header and cost are taken
    generator = np.random.default_rng(number)
    total = len(split)
    unions = generator.integers(200, 60_000, total)
    shares = np.clip(0.35 + 0.02 * number + np.random.default_rng(99).normal(0, 0.3, total), 0, 1)
    shares = np.clip(shares + generator.normal(0, 0.1, total), 0, 1)
    both = np.floor(unions * shares).astype(np.int64)
    hits, boxes, chosen = shares >= 0.3, (0.9 * shares).round(4), generator.integers(0, len(masks), total)
    table = split.table
    images = table.image_id.numbers[split.sample_images].tolist()
    refs, sentences = table.ref_id.numbers[split.sample_refs].tolist(), table.sent_id.numbers[split.rows].tolist()
    # Rows stand in the split's order, as a run leaves them.
    with (folder / "rows.jsonl").open("w") as rows, (folder / "masks.jsonl").open("w") as answers:
        for at in range(total):
            ident, hit = f"{split.name}/{refs[at]}/{sentences[at]}", str(bool(hits[at])).lower()
            box = float(boxes[at])
            rows.write(
                f'{{"id": "{ident}", "image_id": {images[at]}, "ref_id": {refs[at]}, "sent_id": {sentences[at]}, '
                f'"intersection": {both[at]}, "union": {unions[at]}, "hit_box": {hit}, "hit_mask": {hit}, '
                f'"box_iou": {box}, "box_hit": {str(box > 0.5).lower()}, "seconds": 0.012345}}\n'
            )
            answers.write(f'{{"id": "{ident}", "segmentation": {masks[chosen[at]]}, "point": [320.5, 240.5]}}\n')
    columns = {"intersection": both, "union": unions, "hit_box": hits, "hit_mask": hits, "box_iou": boxes}
    columns = {name: values.astype(np.float64) for name, values in columns.items()}
    summary = json.loads((folder / "summary.json").read_text())
    order = np.argsort([f"{split.name}/{ref}/{sent}" for ref, sent in zip(refs, sentences, strict=True)])
    columns = {name: values[order] for name, values in columns.items()}
    summary |= {"count": total, "metrics": summarise(columns, [images[at] for at in order], parse_all(None))}
    header = json.loads((folder / "header.json").read_text())
    header |= {"split": json.loads(json.dumps(to_json(split_record(split)))), "data_root": str(split.data_root)}
    header["partial"] = summary["partial"] = split.partial
    (folder / "header.json").write_text(json.dumps(header))
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder
