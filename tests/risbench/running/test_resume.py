"""A run that was cut off goes on, and ends as if it had not been; what it cannot go on from is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.examples import examples
from helpers.folders import content_of, costs_of, names_in, provenance_of
from helpers.small import small_split, write_small
from helpers.waiting import GUARD, wait_until
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from made_up.methods import Heats, Masks

import risbench
from risbench import RisbenchError, Run, Settings, Split, UsageError, evaluate
from risbench.running.loop import Stopped

_MAIN = "from risbench.cli import main; main()"
# In a process with HOLD_AT=N the N-th image is under work until a file `go` appears; `held` says that it has begun.
_SLOW = """
import itertools, os, pathlib, time
from made_up.methods import Heats
class Slow(Heats):
    turns = itertools.count(1)
    def predict(self, image, texts):
        time.sleep(self.seconds)
        if next(self.turns) == int(os.environ.get("HOLD_AT", 0)):
            pathlib.Path("held").touch()
            while not pathlib.Path("go").exists():
                time.sleep(0.005)
        return super().predict(image, texts)
def make(*, seconds: float = 0.0):
    method = Slow()
    method.seconds = seconds
    return method
"""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An uninterrupted run that keeps heats."""
    run = evaluate(Heats(), split, out=tmp_path_factory.mktemp("whole"), settings=Settings(save_heat=True))
    return content_of(run.path)


class CommandLine:
    """`risbench` in another process, with a slow method installed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = folder / "packages" / "slow-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[risbench.methods]\nslow = slow:make\n")
        (about.parent / "slow.py").write_text(_SLOW)
        places = (about.parent, Path(__file__).parents[2], Path(risbench.__file__).parents[1])
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
        write_small(folder / "data", 40)

    def words(self, out: str, *more: str) -> list[str]:
        return ["run", "--method", "slow", "--split", "refcoco_val", "--data-root", "data", "--out", out, *more]

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, out: str, *more: str) -> tuple[int, str]:
        with self.start("-c", _MAIN, *self.words(out, *more)) as process:
            _, result = process.communicate(timeout=GUARD)
            return process.returncode, result


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_ten_kills_at_random_moments_change_nothing(command_line: CommandLine):
    more = ("--save-heat", "--set", "seconds=0.02")
    assert command_line.run("reference", *more)[0] == 0
    killer = Path(__file__).parents[2] / "helpers" / "killer.py"
    # None of the ten gets to the end, however slow the killer is: each stands still at its fourth image.
    words = (str(killer), "0.25", *command_line.words("killed", *more))
    with command_line.start(*words, HOLD_AT="4") as process:
        died, result = process.communicate(timeout=GUARD)
    assert process.returncode == 0, result
    assert int(died.split()[-1]) == 10
    code, result = command_line.run("killed", *more)
    assert code == 0, result
    killed = command_line.folder / "killed"
    assert content_of(killed) == content_of(command_line.folder / "reference")
    assert len(content_of(killed)) == 3 + 40
    assert names_in(killed) == names_in(command_line.folder / "reference")


@pytest.fixture(scope="module")
def finished(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    evaluate(Heats(), split, out=folder, settings=Settings(save_heat=True))
    (folder / "summary.json").unlink()
    return folder


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_rows_and_masks_cut_at_any_byte_are_completed(split, whole, finished, tmp_path: Path, kept):
    out = tmp_path / "cut"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(finished, out)
    for name, share in zip(("rows.jsonl", "masks.jsonl"), kept, strict=True):
        content = (out / name).read_bytes()
        (out / name).write_bytes(content[: round(share * len(content))])
    evaluate(Heats(), split, out=out, settings=Settings(save_heat=True))
    assert content_of(out) == whole


def test_a_kill_in_the_middle_of_a_line_costs_that_image_only(split: Split, whole, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path, settings=Settings(save_heat=True))
    (tmp_path / "summary.json").unlink()
    rows = (tmp_path / "rows.jsonl").read_bytes()
    (tmp_path / "rows.jsonl").write_bytes(rows[:-7])
    method = Heats()
    evaluate(method, split, out=tmp_path, settings=Settings(save_heat=True))
    assert len(method.requests) == 1
    assert content_of(tmp_path) == whole


def test_what_a_kill_left_of_a_file_in_the_making_is_swept_away(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path, settings=Settings(save_heat=True))
    before = names_in(tmp_path)
    for name in (".rows.jsonl.77.part", ".masks.jsonl.part", "heats/.3.npz.77.part"):
        (tmp_path / name).write_bytes(b"half")
    evaluate(Heats(), split, out=tmp_path, settings=Settings(save_heat=True))
    assert names_in(tmp_path) == before


def test_a_finished_run_asks_nothing_again_and_stays_as_it_is(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    before = content_of(tmp_path)
    costs = costs_of(tmp_path)
    method = Heats()
    evaluate(method, split, out=tmp_path)
    assert method.requests == []
    assert content_of(tmp_path) == before
    assert costs_of(tmp_path) == costs


def _stops_after(count: int) -> Iterator[bool]:
    yield from [False] * (count - 1)
    while True:
        yield True


def test_a_stop_writes_what_was_done_and_says_how_to_go_on(split: Split, tmp_path: Path):
    requested = _stops_after(3)
    with pytest.raises(Stopped, match=r"stopped after 3 of 8 images; give the same command with --out .*mine to go on"):
        evaluate(Heats(), split, out=tmp_path / "mine", stop=lambda: next(requested))
    rows = (tmp_path / "mine" / "rows.jsonl").read_bytes().splitlines()
    assert {json.loads(row)["image_id"] for row in rows} == set(split.images[:3])
    with pytest.raises(RisbenchError, match="is not finished"):
        Run.load(tmp_path / "mine")


def test_a_stopped_shard_names_the_folder_of_the_command(split: Split, tmp_path: Path):
    with pytest.raises(Stopped, match=r"with --out \S*mine to go on"):
        evaluate(Heats(), split, out=tmp_path / "mine", shard=(0, 2), stop=lambda: True)


def test_every_part_leaves_its_cost_its_facts_and_its_provenance(split: Split, tmp_path: Path):
    class Learning(Heats):
        @property
        def facts(self):
            return {"asked": len(self.requests)}

    for after in (3, 2):
        requested = _stops_after(after)
        with pytest.raises(Stopped):
            evaluate(Learning(), split, out=tmp_path, stop=lambda requested=requested: next(requested))
    evaluate(Learning(), split, out=tmp_path)
    assert [part["images"] for part in costs_of(tmp_path)] == [3, 2, 3]
    assert sum(part["expressions"] for part in costs_of(tmp_path)) == len(split)
    assert [part["facts"]["asked"] for part in provenance_of(tmp_path)] == [3, 2, 3]
    assert all(part["images_per_second"] > 0 and part["peak_memory_bytes"] > 1 << 20 for part in costs_of(tmp_path))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_image_under_work_and_prints_how_to_continue(command_line: CommandLine, sent: int):
    rows, held = command_line.folder / "mine" / "rows.jsonl", command_line.folder / "held"
    with command_line.start("-c", _MAIN, *command_line.words("mine"), HOLD_AT="5") as process:
        wait_until(held.exists, "the fifth image is under work", process)
        process.send_signal(sent)
        assert any("stopping after the images under work" in line for line in process.stderr or ())
        (command_line.folder / "go").touch()
        _, result = process.communicate(timeout=GUARD)
    assert process.returncode == 1, result
    assert "stopped after 5 of 40 images; give the same command with --out mine to go on" in result
    assert "Traceback" not in result
    assert rows.read_bytes().endswith(b"\n")
    assert costs_of(rows.parent)[0]["images"] == 5
    assert costs_of(rows.parent)[0]["expressions"] == rows.read_bytes().count(b"\n")
    code, result = command_line.run("mine", "--set", "seconds=0.001")
    assert code == 2  # other arguments make another run
    assert "seconds" in result
    assert command_line.run("mine")[0] == 0


def test_a_second_ctrl_c_does_not_wait_for_the_image_under_work(command_line: CommandLine):
    with command_line.start("-c", _MAIN, *command_line.words("mine"), HOLD_AT="5") as process:
        wait_until((command_line.folder / "held").exists, "the fifth image is under work", process)
        process.send_signal(signal.SIGINT)
        assert any("Ctrl-C again to stop at once" in line for line in process.stderr or ())
        process.send_signal(signal.SIGINT)
        _, result = process.communicate(timeout=GUARD)
    how = "risbench: stopped at once; give the same command with --out mine to go on"
    assert (process.returncode, result.splitlines()[-1]) == (1, how)
    assert costs_of(command_line.folder / "mine")[0]["images"] == 4


def test_a_job_that_ignores_ctrl_c_goes_on_and_sigterm_ends_it_well(command_line: CommandLine, ignoring_ctrl_c: None):
    held = command_line.folder / "held"
    with command_line.start("-c", _MAIN, *command_line.words("mine"), HOLD_AT="5") as process:
        wait_until(held.exists, "the fifth image is under work", process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        # The two were ignored, or this wish to stop would have been the second and would have ended it at once.
        assert any("stopping after the images under work" in line for line in process.stderr or ())
        (command_line.folder / "go").touch()
        _, result = process.communicate(timeout=GUARD)
    assert process.returncode == 1, result
    assert "stopped after 5 of 40 images" in result


def test_two_processes_cannot_write_to_one_folder(split: Split, tmp_path: Path):
    refused = []

    def message(_: object) -> None:
        with pytest.raises(RisbenchError, match="another process is writing to this folder; give another --out") as one:
            evaluate(Heats(), split, out=tmp_path)
        refused.append(one)

    # A lock of another opening is as strange to this process as another process's.
    evaluate(Heats(), split, out=tmp_path, progress=message)
    assert len(refused) == 8
    assert not isinstance(refused[0].value, UsageError)


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ({}, {"name": "Other"}, r'its method.name is "Heats", this command\'s is "Other"'),
        ({}, {"rules": "lavt"}, r'its rules.name is "tris", this command\'s is "lavt"'),
        ({"threshold": 0.5}, {"threshold": 0.25}, "its rules.threshold is 0.5, this command's is 0.25"),
        ({"limit": 3}, {"limit": 4}, "its limit is 3, this command's is 4"),
        ({"limit": 3}, {}, "its limit is 3, this command's is null"),
        ({}, {"texts": "shuffled"}, 'its texts is "given", this command\'s is "shuffled"'),
        ({}, {"settings": Settings(save_heat=True)}, 'its save_heat is null, this command\'s is "float32"'),
    ],
)
def test_another_run_in_the_folder_is_refused_with_the_difference(split, tmp_path: Path, first, second, result):
    evaluate(Heats(), split, out=tmp_path, **first)
    before = content_of(tmp_path)
    with pytest.raises(UsageError, match=result):
        evaluate(Heats(), split, out=tmp_path, **second)
    assert content_of(tmp_path) == before
    assert len(provenance_of(tmp_path)) == 1


def test_other_arguments_are_another_run(split: Split, tmp_path: Path):
    evaluate("random_point", split, out=tmp_path)
    evaluate("random_point", split, out=tmp_path)
    with pytest.raises(UsageError, match=r"arguments\.given\.seed is null, this command's is 1"):
        evaluate("random_point", split, out=tmp_path, options={"seed": "1"})


def test_another_card_is_another_run(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    method = Heats()
    method.card = {**Heats.card, "weights": "another hash"}
    with pytest.raises(UsageError, match="another hash"):
        evaluate(method, split, out=tmp_path)


def test_other_annotations_are_another_run(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path / "run")
    other = risbench.load_split("refcoco_val", write_small(tmp_path / "data", 8, seed=1))
    with pytest.raises(UsageError, match=r"its split\.sources is"):
        evaluate(Heats(), other, out=tmp_path / "run")


def test_another_batch_size_and_device_go_on_with_the_same_run(split: Split, tmp_path: Path):
    with pytest.raises(Stopped):
        evaluate(Masks(), split, out=tmp_path, stop=lambda: True)
    run = evaluate(Masks(), split, out=tmp_path, settings=Settings(batch=4), device="cuda")
    assert [part["device"] for part in provenance_of(run.path)] == ["cpu", "cuda"]


def test_a_line_broken_in_the_middle_is_named_by_number(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    for name in ("rows.jsonl", "masks.jsonl"):
        content = (tmp_path / name).read_bytes()
        lines = content.splitlines(keepends=True)
        (tmp_path / name).write_bytes(b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[3:]]))
        with pytest.raises(RisbenchError, match=rf"{name}, line 3: not JSON"):
            evaluate(Heats(), split, out=tmp_path)
        (tmp_path / name).write_bytes(content)


def test_a_folder_with_rows_of_unknown_origin_is_refused(split: Split, tmp_path: Path):
    (tmp_path / "rows.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match=r"holds rows\.jsonl but no header\.json"):
        evaluate(Heats(), split, out=tmp_path)
    (tmp_path / "header.json").write_text("[]")
    with pytest.raises(UsageError, match="is not a run's header"):
        evaluate(Heats(), split, out=tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"), [("[{", "not JSON"), ("", "not JSON"), ('{"seconds": 1}', "is dict, not a list")]
)
def test_a_broken_cost_file_is_refused_before_the_work(split: Split, tmp_path: Path, content: str, fault: str):
    with pytest.raises(Stopped):
        evaluate(Heats(), split, out=tmp_path, stop=lambda: True)
    (tmp_path / "cost.json").write_text(content)
    method = Heats()
    with pytest.raises(RisbenchError, match=rf"cost\.json: .*{fault}.*; remove it \(it holds only times and memory"):
        evaluate(method, split, out=tmp_path)
    assert method.requests == []
    (tmp_path / "cost.json").unlink()
    assert evaluate(method, split, out=tmp_path).summary["count"] == len(split)


def test_a_finished_run_does_not_need_its_cost_file(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    (tmp_path / "cost.json").write_text("[{")
    assert evaluate(Heats(), split, out=tmp_path).summary["count"] == len(split)


def test_a_part_of_provenance_that_no_run_wrote_is_refused_before_the_work(split: Split, tmp_path: Path):
    with pytest.raises(Stopped):
        evaluate(Heats(), split, out=tmp_path, stop=lambda: True)
    header = json.loads((tmp_path / "header.json").read_text())
    method = Heats()
    for odd, fault in ((5, "is int, not an object"), ({**header["provenance"][0], "started": None}, "started is null")):
        (tmp_path / "header.json").write_text(json.dumps({**header, "provenance": [odd]}))
        with pytest.raises(RisbenchError, match=rf"header\.json: provenance\[0\].*{fault}"):
            evaluate(method, split, out=tmp_path)
    assert method.requests == []


def test_provenance_that_is_no_list_is_refused_before_the_work(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path)
    header = json.loads((tmp_path / "header.json").read_text())
    (tmp_path / "header.json").write_text(json.dumps({**header, "provenance": 5}))
    with pytest.raises(RisbenchError, match=r"header\.json: its provenance is not a list"):
        evaluate(Heats(), split, out=tmp_path)
