"""All that can only be known on a GPU, in one command of at most eight minutes: `make gpu`.

    python tests/bench/gpu.py [--out DIR] [--site DIR] [--minutes 8] [--seeds 3] [--steps A,B] [--rehearse]

It needs a Python with torch, torchvision, timm, opencv and pytest, and no network: what else risbench imports lies in
the folder ``--site`` (`make gpu-wheels` fills it), and risbench itself runs from the tree. Each step has a time limit
of its own, and one that fails stops no other. Timings come first; then the drawn recipe trains in the background,
beside the tests. One file of JSON lines is written: a line of the machine, and one for each step with what it printed.

``--rehearse`` does all of it on a CPU, at tiny sizes, so that nobody finds a slip of the pen on a rented machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from session import LAST, Session, figures, stop

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "tests/bench"
KEPT_BACK = 200  # seconds that timings must leave to the training and the tests
RIVALS = (
    "clip_sim", "clip_gradcam", "clip_gae", "clip_es", "groupvit", "amr", "wwbl", "lavt", "cts_style", "gbs", "mg",
)  # fmt: skip
# The least training of each rival: does every stage of it run on a GPU?
LEAST = {
    "amr": ("amr.limit=64", "amr.epochs=1", "amr.cam.epochs=1"),
    "wwbl": ("wwbl.limit=64", "wwbl.epochs=1"),
    "lavt": ("lavt.limit=64", "lavt.epochs=1"),
    "cts_style": ("cts_style.limit=48", "cts_style.epochs=1", "cts_style.contour.limit=48"),
    "gbs": ("gbs.limit=64", "gbs.epochs=1", "gbs.trunk.pictures=128", "gbs.objects.pictures=64"),
    "mg": ("mg.limit=64", "mg.epochs=1"),
}
CHECK = """
import json, sys, torch
cuda = torch.cuda.is_available()
card = torch.cuda.get_device_properties(0) if cuda else None
import torchvision, numpy, cv2, open_clip, pycocotools, platformdirs, safetensors
print(json.dumps({
    "device": card.name if card else None, "memory_gib": round(card.total_memory / 2**30, 1) if card else None,
    "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
    "bf16": cuda and torch.cuda.is_bf16_supported(),
    "torch": torch.__version__, "torchvision": torchvision.__version__, "numpy": numpy.__version__,
    "open_clip": open_clip.__version__, "python": sys.version.split()[0],
}))
"""


def metadata(folder: Path) -> None:
    """Let risbench's entry points be found though it is not installed: a dist-info made of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    place = folder / f"{project['name']}-{project['version']}.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (place / "METADATA").write_text(text, encoding="utf-8")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    sections = (
        "\n".join([f"[{group}]", *(f"{k} = {v}" for k, v in points.items())]) for group, points in groups.items()
    )
    (place / "entry_points.txt").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def commit(site: Path) -> str:
    """The commit of the tree: by git, or as `make gpu-wheels` noted it where git's folder does not come along."""
    probe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    except OSError:
        pass
    noted = site / "COMMIT"
    return noted.read_text(encoding="utf-8").strip() + " (as noted)" if noted.is_file() else "unknown"


def tests(session: Session, python: str, scratch: Path, rehearse: bool) -> None:
    """The tests that need a GPU; one that was skipped has failed."""
    report = scratch / "gpu-tests.xml"
    wanted = ["-m", "gpu", "-W", "default", "-rA", "--continue-on-collection-errors", f"--junitxml={report}"]
    text = session.step("pytest -m gpu", [python, "-m", "pytest", *wanted, "tests/tris_model"], 150)
    if not session.wants("pytest"):
        return
    if text is None or not report.is_file():
        session.write(step="verdict of the tests", passed=False, reason="there is no report")
        return
    suites = list(ET.parse(report).getroot().iter("testsuite"))
    counts = {key: sum(int(one.get(key, 0)) for one in suites) for key in ("tests", "failures", "errors", "skipped")}
    bad = counts["failures"] + counts["errors"] + (0 if rehearse else counts["skipped"])
    session.write(step="verdict of the tests", passed=counts["tests"] > 0 and not bad, **counts)


def training(python: str, scratch: Path, seed: int, device: str, rehearse: bool) -> list[str]:
    """The drawn recipe from stage 1 to its scores; labels on the CPU, whose cores do them faster for now."""
    base = [python, "-m", "risbench", "train", "tris", "--out", str(scratch / f"seed-{seed}")]
    if rehearse:
        base += ["--recipe", str(scratch / "made/recipe.toml"), "--data-root", str(scratch / "made/data")]
    else:
        base += ["--recipe", "shapes"]
    seeds = [f"{table}.seed={seed}" for table in ("stage1", "pseudo", "stage2")]
    base += [part for pair in seeds for part in ("--set", pair)]
    parts = [
        shlex.join([*base, "--stage", stage, "--device", "cpu" if stage == "labels" else device])
        for stage in ("1", "maps", "labels", "2")
    ]
    timed = " && ".join(f"echo at $SECONDS s: && {part}" for part in parts)
    return ["bash", "-c", f"{timed} && echo finished at $SECONDS s"]


def least(python: str, scratch: Path, method: str, device: str) -> list[str]:
    """The drawn recipe of a rival, cut short."""
    command = [python, "-m", "risbench", "train", method, "--recipe", "shapes", "--device", device]
    changes = [part for pair in LEAST[method] for part in ("--set", pair)]
    return [*command, *changes, "--out", str(scratch / f"train-{method}")]


def seeds_trained(session: Session, running: Mapping[int, tuple[subprocess.Popen[str], Path]], scratch: Path) -> None:
    """Wait for the trainings while there is time, and write what each reached."""
    for seed, (process, log) in running.items():
        try:
            process.wait(max(1.0, session.left - 20))
            code: Any = process.returncode
        except subprocess.TimeoutExpired:
            stop(process)
            code = "timeout"
        lines = re.split(r"[\r\n]+", log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
        out = scratch / f"seed-{seed}"
        scores = out / "scores.json"
        speed = {}
        for stage in ("stage1", "pseudo", "stage2"):
            steps = out / stage / "log.jsonl"
            rows = figures(steps.read_text(encoding="utf-8").splitlines()) if steps.is_file() else []
            if rows:
                speed[stage] = {
                    "steps": len(rows),
                    "seconds": round(sum(row["seconds"] for row in rows), 1),
                    **rows[-1],
                }
        session.write(
            step=f"drawn recipe, seed {seed}", code=code, speed=speed, output=lines[-LAST:],
            figures=json.loads(scores.read_text(encoding="utf-8")) if scores.is_file() else [],
        )  # fmt: skip


def timings(session: Session, scratch: Path, tiny: bool, device: str, kept_back: float) -> None:
    """What must have the machine to itself; so many seconds are left for what follows."""
    python = sys.executable

    def bench(name: str, limit: float, script: str, *given: str) -> None:
        session.step(name, [python, str(BENCH / script), "--device", device, *given], limit, kept_back)

    few = ("--images", "2", "--texts", "2", "--batch", "1") if tiny else ("--images", "128", "--texts", "7")
    bench("tris_device", 90, "tris_device.py", *few, "--json")
    sizes = ("--batch", "2", "--negatives", "1", "--steps", "1") if tiny else ("--steps", "10")
    bench("stage1_step float32", 75, "stage1_step.py", *sizes, "--precision", "float32", "--json")
    for precision in ("tf32", "bf16"):
        bench(
            f"stage1_step {precision}", 40, "stage1_step.py", *sizes, "--precision", precision, "--only-ours", "--json"
        )
    bench("gpu_steps", 90, "gpu_steps.py", *(("--tiny",) if tiny else ()))
    for precision in ("float32", "bf16"):
        out = scratch / f"run-{precision}"
        given = ["--set", f"precision={precision}", "--out", str(out)]
        session.step(f"risbench run {precision}", run(scratch, "tris", tiny, device, *given), 60, kept_back)
        if not session.wants(f"risbench run {precision}"):
            continue
        kept = {name: out / f"{name}.json" for name in ("cost", "summary", "header")}
        found = {name: json.loads(path.read_text()) for name, path in kept.items() if path.is_file()}
        session.write(step=f"files of risbench run {precision}", complete="summary" in found, figures=[found])
    few = ("--images", "2", "--texts", "2") if tiny else ("--images", "384", "--precision", "float32", "bf16")
    for workers in ("0", "2" if tiny else "12"):
        stages = ("1",) if tiny or workers == "0" else ("1", "2")
        bench(f"end_to_end {workers}", 100, "end_to_end.py", *few, "--stage", *stages, "--", "--workers", workers)
    if not tiny:
        bench("stage1_step compiled", 150, "stage1_step.py", *sizes, "--precision", "bf16", "--only-ours", "--compile")
    bench("irn", 40, "irn.py", *(("--size", "64x80") if tiny else ()))


def run(scratch: Path, method: str, tiny: bool, device: str, *given: str) -> list[str]:
    """A run of the shipped weights on drawn scenes."""
    where = ("--data-root", str(scratch / "made/data")) if tiny else ()
    split = "refcoco_val" if tiny else "shapes_val"
    command = [sys.executable, "-m", "risbench", "run", "--method", method, "--split", split, "--weights", "shapes"]
    return [*command, "--device", device, *where, *given]


def steps(session: Session, options: argparse.Namespace, scratch: Path) -> None:
    """Everything, in the order in which it matters; timings before anything runs beside them."""
    python, tiny, device = sys.executable, options.rehearse, "cpu" if options.rehearse else "cuda"
    if tiny:
        made = "import sys; sys.path[:0] = ['tests']; from pathlib import Path;"
        made += f"from helpers.joined import made; made(Path({str(scratch / 'made')!r}))"
        (scratch / "made").mkdir()
        session.step("made-up data", [python, "-c", made], 60)
    timings(session, scratch, tiny, device, 5 if options.steps else KEPT_BACK)
    running: dict[int, tuple[subprocess.Popen[str], Path]] = {}
    try:
        for number in range(options.seeds if session.wants("drawn recipe") else 0):
            seed = 1234 + number
            log = scratch / f"seed-{seed}.log"
            command = training(python, scratch, seed, device, tiny)
            with log.open("w") as out:
                running[seed] = (session.start(command if not number else ["nice", "-n", "10", *command], out), log)
        tests(session, python, scratch, tiny)
        with ThreadPoolExecutor(2 if tiny else 6) as together:
            for method in RIVALS:
                given = ("--limit", "20", "--out", str(scratch / f"run-{method}"))
                together.submit(
                    session.step, f"risbench run {method}", run(scratch, method, tiny, device, *given), 60, 25
                )
            for method in () if tiny else LEAST:  # on a CPU the suite trains them
                together.submit(
                    session.step, f"risbench train {method}", least(python, scratch, method, device), 90, 25
                )
    finally:
        seeds_trained(session, running, scratch)


def main() -> int:
    """Run all steps; 0 if there is a GPU (or a rehearsal) and a file was written, whatever the steps found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or ROOT / "reports/gpu"))
    parser.add_argument("--site", type=Path, default=ROOT / ".gpu/site", help="what the machine's Python lacks")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of the drawn recipe, side by side")
    parser.add_argument("--steps", help="only steps whose names begin with one of these, separated by commas")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, at tiny sizes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, which ends the steps and the scratch folder
    with tempfile.TemporaryDirectory(prefix="risbench-gpu-") as folder:
        scratch = Path(folder)
        metadata(scratch / "metadata")
        given = {
            **os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1",
            "RISBENCH_CACHE": str(scratch / "cache"),
        }  # fmt: skip
        places = [scratch / "metadata", ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        # What the Python has itself goes first: the folder may have been filled for another version.
        for more in ((), (options.site.absolute(),)):
            environment = {**given, "PYTHONPATH": os.pathsep.join(map(str, (*places, *more)))}
            probe = subprocess.run(
                [sys.executable, "-c", CHECK], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
            )
            if not probe.returncode:
                break
        else:
            print(f"make gpu: {(probe.stderr.strip().splitlines() or ['?'])[-1]}; see reports/gpu/README.md")
            return 1
        machine = json.loads(probe.stdout.strip().splitlines()[-1])
        if machine["device"] is None and not options.rehearse:
            print("make gpu: torch finds no CUDA device here; `--rehearse` tries the script on a CPU")
            return 1
        now = datetime.now(UTC)
        name = "rehearsal" if options.rehearse else re.sub(r"[^A-Za-z0-9]+", "-", machine["device"]).strip("-")
        options.out.mkdir(parents=True, exist_ok=True)
        session = Session(
            options.out / f"{now:%Y%m%dT%H%M%SZ}-{name}.jsonl",
            environment,
            options.minutes,
            8 if options.rehearse else 1,
            options.steps.split(",") if options.steps else None,
        )
        session.write(
            step="machine", rehearsal=options.rehearse, date=f"{now:%Y-%m-%d %H:%M} UTC", commit=commit(options.site),
            cores=len(os.sched_getaffinity(0)), **machine,
        )  # fmt: skip
        steps(session, options, scratch)
        session.write(step="end", seconds_left=round(session.left))
        print(f"written: {session.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
