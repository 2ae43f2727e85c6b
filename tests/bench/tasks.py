"""Ten things that people come for, each done as `docs/tasks.md` says: how many commands, how many seconds?

    python tests/bench/tasks.py [--only a,b] [--out docs/tasks.md]

Every task is done in an empty folder with nothing but the installed `risbench` and the files that the page shows.
Scenes are drawn before the first, as they are once on every machine. ``--out`` writes the page. Training (i) takes most
of an hour and is left to `make comparison TRAIN=1`; `--training MINUTES` puts its time into the page.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from machine import described

METHOD = """class Mine:
    card = {"grade": "native", "supervision": "none"}  # what tables group it by

    def predict(self, image, texts):  # uint8 (H, W, 3), and all expressions about this image
        return [image.mean(axis=2) / 255 > 0.6] * len(texts)  # a mask (bool) or a heat (float) for each text
"""
PAPER = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\input{table}
\end{document}
"""


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        letter: of the list in docs/tasks.md.
        title: what somebody wants.
        commands: that do it, in order.
        made: what must be found in the folder at the end.
        before: makes what the user brings; called before the clock starts.
        note: what to know beside it.
    """

    letter: str
    title: str
    commands: tuple[str, ...]
    made: tuple[str, ...] = ()
    before: Callable[[Path], None] | None = None
    note: str = ""


def bring_method(folder: Path) -> None:
    """The user's method."""
    (folder / "mine.py").write_text(METHOD)


def bring_masks(folder: Path) -> None:
    """Masks of every expression as PNG files, named by sent_id."""
    import numpy as np
    from PIL import Image

    from risbench import load_split

    (folder / "masks").mkdir()
    for sample in load_split("shapes_val"):
        mask = np.zeros(sample.size, np.uint8)
        mask[sample.size[0] // 4 : sample.size[0] // 2, sample.size[1] // 4 :] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{sample.sent_id}.png")


def bring_runs(folder: Path) -> None:
    """Two runs, as earlier tasks leave them."""
    for method in ("clip_sim", "tris"):
        command = ["risbench", "run", "--method", method, "--split", "shapes_val", "--save-heat"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "paper.tex").write_text(PAPER)


def bring_data(folder: Path) -> None:
    """Pictures and their expressions."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (60, 40), (240, 240, 240))
    ImageDraw.Draw(picture).rectangle((10, 5, 29, 24), fill=(220, 40, 40))
    (folder / "photos").mkdir()
    picture.save(folder / "photos/street.jpg")
    data = {
        "images": [{"file": "photos/street.jpg", "height": 40, "width": 60}],
        "expressions": [
            {"text": "the red car", "image": "photos/street.jpg", "mask": [[10, 5, 30, 5, 30, 25, 10, 25]]}
        ],
    }
    (folder / "my.json").write_text(json.dumps(data))


TASKS = (
    Task("a", "A first number", ("risbench run --method tris --split shapes_val",)),
    Task(
        "b", "My own method's number",
        ("risbench check ./mine.py", "risbench run --method ./mine.py --split shapes_val"), before=bring_method,
        note="`mine.py` is below.",
    ),
    Task(
        "c", "PNG masks that somebody sent, scored", ("risbench score masks --split shapes_val",), before=bring_masks,
        note="`masks/` holds a `<sent_id>.png` for each expression (`risbench data show shapes_val` prints the ids).",
    ),
    Task(
        "d", "A LaTeX table in a compiled PDF",
        (
            'risbench report last:2 last --as latex --intervals --caption "Results" --label tab:results '
            "--out table.tex",
            "pdflatex -interaction=batchmode paper.tex",
        ),
        ("paper.pdf",), bring_runs,
        note="`last` is the newest run below `./runs`, `last:2` the one before. `paper.tex` is below.",
    ),
    Task(
        "e", "A qualitative grid for a paper", ("risbench report last:2 last --as grid --out grid.pdf --no-notes",),
        ("grid.pdf",), bring_runs, note="What a caption should say is written beside it, to `grid.notes.txt`.",
    ),
    Task(
        "f", "The worst cases in a browser", ("risbench report last --as html --out page.html",), ("page.html",),
        bring_runs, note="Open `page.html`; it filters by outcome and sorts by IoU.",
    ),
    Task(
        "g", "My own data",
        ("risbench data import my.json --as mysplit", "risbench run --method centre --split mysplit"),
        before=bring_data, note="The form of `my.json`, with a complete example: `risbench data import --help`.",
    ),
    Task("h", "Is A better than B?", ("risbench compare last last:2",), before=bring_runs),
    Task(
        "i", "TRIS, trained on drawn scenes", ("risbench train tris --recipe shapes --out runs/my_tris",),
        note="The same command goes on where it was stopped.",
    ),
    Task(
        "j", "The same answers under another protocol",
        (
            "risbench run --method tris --split shapes_val --save-heat --out runs/tris",
            "risbench score runs/tris --split shapes_val --rules clean",
        ),
        note="Heats are kept with `--save-heat`, because every protocol cuts them in its own way.",
    ),
)  # fmt: skip


def seconds(task: Task) -> float:
    """How long the commands of a task take in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RISBENCH_DATA"] = str(folder / "data")
        if task.before is not None:
            task.before(folder)
        begun = time.perf_counter()
        for command in task.commands:
            done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{task.letter}: {command}: {done.stdout[-500:]}{done.stderr[-2000:]}")
        took = time.perf_counter() - begun
        for made in task.made:
            if not (folder / made).stat().st_size:
                sys.exit(f"{task.letter}: {made} is empty")
        return took


def page(times: dict[str, str], machine: str) -> str:
    """The whole page."""
    lines = [
        "# Ten tasks",
        "",
        "What people come for, each from a fresh install (`make demo`, or `pip install -e .`) in at most three",
        "commands. Drawn scenes stand in for your split: with RefCOCO's data at hand, `shapes_val` becomes",
        "`refcoco_val`. All that a command takes is in its `--help`.",
        "",
    ]
    for task in TASKS:
        lines += [
            f"**({task.letter}) {task.title}** ({times.get(task.letter, 'not timed')})",
            "",
            "```sh",
            *task.commands,
        ]
        lines += ["```", *(["", task.note] if task.note else []), ""]
    lines += ["`mine.py` of (b):", "", "```python", METHOD.rstrip(), "```", ""]
    lines += ["`paper.tex` of (d):", "", "```latex", PAPER.rstrip(), "```", ""]
    lines += [f"Times: `python tests/bench/tasks.py`; {machine}.", ""]
    return "\n".join(lines)


def main() -> None:
    """Do the tasks, print what each took, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="letters of tasks, separated by commas")
    parser.add_argument("--out", type=Path, help="write the page here")
    parser.add_argument("--training", type=float, help="minutes that a training of (i) took")
    options = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    machine = described()
    print(machine)
    with tempfile.TemporaryDirectory() as drawn:  # the scenes, which a machine draws once
        command = ["risbench", "run", "--method", "centre", "--split", "shapes_val", "--out", f"{drawn}/run"]
        subprocess.run(command, check=True, capture_output=True)
    times: dict[str, str] = {}
    if options.training:
        times["i"] = f"1 command, {options.training:.0f} minutes"
    for task in TASKS:
        if task.letter == "i" or (options.only and task.letter not in options.only.split(",")):
            continue
        if "pdflatex" in " ".join(task.commands) and shutil.which("pdflatex") is None:
            print(f"({task.letter}) left out: there is no pdflatex")
            continue
        took = seconds(task)
        count = len(task.commands)
        times[task.letter] = f"{count} command{'s' if count > 1 else ''}, {took:.0f} s"
        print(f"({task.letter}) {task.title}: {times[task.letter]}", flush=True)
    if options.out:
        options.out.write_text(page(times, machine), encoding="utf-8")


if __name__ == "__main__":
    main()
