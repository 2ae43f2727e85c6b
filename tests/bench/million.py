"""What a run of a million expressions costs: time, processor seconds and memory of each command.

    python tests/bench/million.py [--expressions 142000 1000000] [--only score] [--keep DIR]

A made-up set in REFER's layout: for every 7.1 expressions an image of 480 x 640, for every 2.84 an object, four objects
annotated for each that an expression refers to; outlines of 24 corners, and one object in ten of two parts. Predictions
are run-length codes from a pool of 400 masks of rough ellipses. Every command is a process
of its own, as a user types it; its memory is the largest resident set of it and its processes, which counts the pages
of files that it maps.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.machine import described
from made_up.samples import rough_ellipse

from risbench.masks import encode

SIZE = (480, 640)
PER_IMAGE, PER_OBJECT, UNNAMED = 7.1, 2.84, 4
WORDS = ("man", "dog", "red", "blue", "left", "right", "top", "small", "bus", "table", "hat", "near", "the", "on", "of")


def write_set(root: Path, expressions: int) -> None:
    """``refcoco_train`` of made-up annotations, written piece by piece."""
    folder = root / "refer" / "refcoco"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    objects = math.ceil(expressions / PER_OBJECT)
    images = round(expressions / PER_IMAGE)
    outlines = [_outline(draw) for _ in range(2000)]
    with (folder / "instances.json").open("w") as file:
        named = (
            {"id": n, "file_name": f"COCO_train2014_{n:012d}.jpg", "height": 480, "width": 640} for n in range(images)
        )
        file.write('{"info": {}, "images": [')
        _items(file, named)
        file.write('], "annotations": [')
        _items(file, (_annotation(n, n % images, outlines) for n in range(objects * UNNAMED)))
        categories = [{"id": n + 1, "name": f"class {n}"} for n in range(80)]
        file.write('], "categories": ' + json.dumps(categories) + "}")
    # An object's expressions: one list in a pickle, as REFER has it.
    refs, sentence = [], 0
    for n in range(objects):
        count = round((n + 1) * PER_OBJECT) - round(n * PER_OBJECT)
        sentences = []
        for _ in range(min(count, expressions - sentence)):
            text = " ".join(draw.choice(WORDS, 4))
            sentences.append({"sent_id": sentence, "sent": text, "raw": text, "tokens": text.split()})
            sentence += 1
        refs.append(
            {
                "ref_id": n,
                "ann_id": n,
                "image_id": n % images,
                "category_id": n % 80 + 1,
                "split": "train",
                "file_name": f"COCO_train2014_{n % images:012d}_{n}.jpg",
                "sentences": sentences,
                "sent_ids": [one["sent_id"] for one in sentences],
            }
        )
    with (folder / "refs(unc).p").open("wb") as file:
        pickle.dump(refs, file, protocol=2)


def _outline(draw: np.random.Generator) -> list[float]:
    """Corners of a rough ellipse, x and y by turns."""
    x, y = draw.uniform(60, 580), draw.uniform(60, 420)
    wide, high = draw.uniform(15, min(x, 640 - x)), draw.uniform(15, min(y, 480 - y))
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = draw.uniform(0.7, 1.0, 24)
    corners = np.stack([x + wide * reach * np.cos(turn), y + high * reach * np.sin(turn)], 1)
    return corners.round(2).reshape(-1).tolist()


def _annotation(number: int, image: int, outlines: list[list[float]]) -> dict[str, object]:
    corners = outlines[number * 7919 % len(outlines)]
    parts = [corners] if number % 10 else [corners, outlines[(number * 7919 + 1) % len(outlines)]]
    x0, y0, x1, y1 = min(corners[::2]), min(corners[1::2]), max(corners[::2]), max(corners[1::2])
    box = [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]
    return {
        "id": number, "image_id": image, "category_id": number % 80 + 1, "bbox": box, "segmentation": parts,
        "area": box[2] * box[3], "iscrowd": 0,
    }  # fmt: skip


def _items(file, items) -> None:
    for place, item in enumerate(items):
        file.write((", " if place else "") + json.dumps(item))


def write_masks(path: Path, expressions: int, turn: int) -> None:
    """A line of a mask for every expression."""
    draw = np.random.default_rng(1)
    pool = [json.dumps(encode(rough_ellipse(draw, SIZE))) for _ in range(400)]
    with path.open("w") as file:
        for n in range(expressions):
            file.write(f'{{"sent_id": {n}, "segmentation": {pool[(n * 31 + turn) % len(pool)]}}}\n')


def run(name: str, expressions: int, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
    """One command and a line of its figures."""
    begun = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        command = [sys.executable, "-m", "risbench", *arguments]
        child = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        others: dict[int, tuple[float, float]] = {}
        while not (ended := os.wait4(child.pid, os.WNOHANG))[0]:
            others.update(_processes_of(child.pid))
            time.sleep(0.05)
        _, status, used = ended
    if status:
        print((folder / "output.txt").read_text()[-2000:])
        raise SystemExit(f"{name}: failed")
    # Processes that score are forked by one that the command does not wait for, so they are looked at while they live.
    work = used.ru_utime + used.ru_stime + sum(seconds for seconds, _ in others.values())
    memory = max(used.ru_maxrss / 1024, *(mebibytes for _, mebibytes in others.values()), 0)
    print(
        f"  {name:34} {time.perf_counter() - begun:8.1f} s {work:8.1f} s of processor "
        f"{1000 * work / expressions:7.3f} ms each {memory:7.0f} MiB",
        flush=True,
    )


def _processes_of(session: int) -> dict[int, tuple[float, float]]:
    """Seconds of processor and largest memory in MiB so far of the session's processes but the first."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session or int(folder.name) == session:
                continue
            peak = (folder / "status").read_text().partition("VmHWM:")[2].split()
        except (OSError, IndexError):
            continue  # it has ended
        ticks = int(fields[11]) + int(fields[12])
        found[int(folder.name)] = ticks / os.sysconf("SC_CLK_TCK"), int(peak[0]) / 1024 if peak else 0.0
    return found


def make(root: Path, expressions: int) -> None:
    """A set and two files of masks."""
    for turn in range(2):
        write_masks(root / f"masks{turn}.jsonl", expressions, turn)
    write_set(root, expressions)


def measure(root: Path, expressions: int, only: str) -> None:
    """Every command at one size."""
    environment = {**os.environ, "RISBENCH_CACHE": str(root / "cache"), "COLUMNS": "100"}
    split = ["--data-root", str(root)]
    if not (root / "refer").is_dir():
        # In a process of its own: the memory of a command counts from that of the process that begins it.
        making = multiprocessing.get_context("spawn").Process(target=make, args=(root, expressions))
        making.start()
        making.join()
        if making.exitcode:
            raise SystemExit("the set could not be made")
        time.sleep(2.5)  # a file younger than that is hashed at every start
    commands = {
        "load, the first time": ["data", "show", "refcoco_train", *split],
        "load, indexed": ["data", "show", "refcoco_train", *split],
    }
    for turn, more in ((0, ["--workers", "0"]), (1, ["--workers", "2"])):
        score = ["score", str(root / f"masks{turn}.jsonl"), "--split", "refcoco_train"]
        commands[" ".join(["score", *more])] = [*score, "--out", str(root / f"run{turn}"), *split, *more]
    for rules in ("clean",):
        commands[f"score --rules {rules}"] = [
            "score", str(root / "masks0.jsonl"), "--split", "refcoco_train", "--rules", rules,
            "--out", str(root / f"run-{rules}"), *split,
        ]  # fmt: skip
    runs = [str(root / "run0"), str(root / "run1")]
    commands["compare, with slices"] = ["compare", *runs]
    commands["report"] = ["report", *runs]
    commands["report --as html"] = ["report", runs[0], "--as", "html", "--out", str(root / "page.html")]
    for name, arguments in commands.items():
        if name.startswith(only):
            run(name, expressions, arguments, environment, root)


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expressions", type=int, nargs="+", default=[142_000, 1_000_000])
    parser.add_argument("--only", default="", help="how the name of a command begins")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the data of each size for the next time")
    options = parser.parse_args()
    print(f"{described()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as made:
        for expressions in options.expressions:
            root = (options.keep or Path(made)).resolve() / str(expressions)
            root.mkdir(parents=True, exist_ok=True)
            print(f"{expressions:,} expressions")
            measure(root, expressions, options.only)


if __name__ == "__main__":
    main()
