"""Made-up run folders of any size over a made-up set, written in a stream; `tests/bench/reports.py` times them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from helpers.runs import write_run
from made_up.samples import blobs

from risbench import Split
from risbench.masks import encode
from risbench.metrics.metric_names import parse_all
from risbench.results.jsonrecord import to_json
from risbench.results.scored import split_record
from risbench.statistics.summary import summarise

_SIZE = (480, 640)
_MASKS = 300  # different masks that the runs' answers are taken from


def made_up_runs(base: Path, split: Split, count: int) -> list[Path]:
    """Write some runs over a split, each a bit better than the one before; their figures agree with their rows."""
    generator = np.random.default_rng(0)
    masks = [json.dumps(encode(blobs(generator, _SIZE, 0.1, 40.0))) for _ in range(_MASKS)]
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
