"""``python -m reports.comparison``: run every method of the paper's tables, and write the tables; see ``--help``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from risbench import Run
from risbench.statistics.comparable import mismatch

from .. import grid
from ..picture import given_or_written
from ..tables import latex
from .methods import ALL, METRICS1, METRICS2, TABLE1, TABLE2, ComparedMethod
from .minutes import minutes_of, timed
from .page import page_of

HERE = Path(__file__).parent
_GRID = 4  # rows of the picture


@click.command(context_settings={"show_default": True})
@click.option("--split", default="shapes_test", help="What is answered; without weights only drawn scenes are.")
@click.option("--rules", default="tris", help="Evaluation rules.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs/comparison"), help="Folder of the runs.")
@click.option("--out", type=click.Path(path_type=Path), default=HERE, help="Folder of the page, tables and picture.")
@click.option("--only", help="Methods, separated by commas, by the folders of their runs.")
@click.option("--train", is_flag=True, help="Also train every network anew (hours), and run it.")
def main(split: str, rules: str, runs: Path, out: Path, only: str | None, train: bool) -> None:
    """Run every method of the paper's tables with its shipped weights, and write both tables.

    What is finished is not run again, and what was stopped goes on: the same command again is enough.
    """
    wanted = _wanted(only)
    done = {method.folder: _run(method, split, rules, runs / method.folder) for method in wanted}
    anew: dict[str, Run] = {}
    trainers = dict.fromkeys(str(method.trainer) for method in wanted if method.trainer is not None)
    if train:
        for trainer in trainers:
            _train(trainer, runs / "training" / trainer)
        for method in wanted:
            if method.trainer is not None:
                weights = runs / "training" / method.trainer / method.weights
                place = runs / "anew" / method.folder
                anew[method.folder] = _run(method, split, rules, place, ("--weights", str(weights)))
    else:  # what an earlier training gave is shown again
        for method in wanted:
            if (runs / "anew" / method.folder / "summary.json").exists():
                earlier = Run.load(runs / "anew" / method.folder)
                if mismatch(done[method.folder], earlier) is None:
                    anew[method.folder] = earlier
    if only is not None:
        click.echo("--only runs and writes no tables; leave it out to write them", err=True)
        return
    minutes = {name: minutes_of(runs / "training" / name) for name in trainers} if anew else {}
    _write(out, done, anew, minutes)
    click.echo(f"written: {out / 'README.md'}", err=True)


def _wanted(only: str | None) -> Sequence[ComparedMethod]:
    if only is None:
        return ALL
    names = only.split(",")
    known = {method.folder: method for method in ALL}
    if strangers := [name for name in names if name not in known]:
        raise click.UsageError(f"no method {', '.join(strangers)}: there are {', '.join(known)}")
    return [known[name] for name in names]


def _run(method: ComparedMethod, split: str, rules: str, folder: Path, more: Sequence[str] = ()) -> Run:
    """A method's run, whole; one that is there is kept."""
    words = ["run", "--method", method.method, "--split", split, "--rules", rules, "--out", str(folder), *more]
    _risbench([*words, *(word for setting in method.settings for word in ("--set", setting))])
    return Run.load(folder)


def _train(trainer: str, folder: Path) -> None:
    """A training, whole, by the recipe of the drawn scenes; methods of one trainer share it."""
    with timed(folder):
        _risbench(["train", trainer, "--recipe", "shapes", "--out", str(folder)])


def _risbench(words: Sequence[str]) -> None:
    """One command of risbench in a process of its own, whose memory is given back; stops as the command did."""
    click.echo(f"risbench {' '.join(words)}", err=True)
    code = subprocess.run([sys.executable, "-m", "risbench", *words], stdout=subprocess.DEVNULL, check=False).returncode
    if code:
        sys.exit(code if code > 0 else 128 - code)


def _write(out: Path, runs: dict[str, Run], anew: dict[str, Run], minutes: dict[str, float]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    given_or_written(page_of(runs, anew, minutes).rstrip("\n"), out / "README.md")
    for name, methods, metrics in (("table1", TABLE1, METRICS1), ("table2", TABLE2, METRICS2)):
        latex.render([runs[method.folder] for method in methods], out=out / f"{name}.tex", metrics=",".join(metrics))
    grid.render([runs[method.folder] for method in TABLE1], out=out / "grid.png", count=_GRID, rows="random:7")


if __name__ == "__main__":
    main()
