"""`make gpu`: a step that fails or hangs stops no other, a skipped test has failed, and nothing need be installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "tests/bench")
    spec = importlib.util.spec_from_file_location("gpu_script", ROOT / "tests/bench/gpu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def session(script: Any, tmp_path: Path) -> Any:
    return script.Session(tmp_path / "out.jsonl", os.environ, minutes=5)


def lines(session: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in session.file.read_text().splitlines()]


def test_a_step_that_fails_or_hangs_stops_no_other(session: Any) -> None:
    hangs = "import threading; print('begun', flush=True); threading.Event().wait()"
    session.step("hangs", [sys.executable, "-c", hangs], 3)
    session.step("fails", [sys.executable, "-c", "print('{\"a\": 1}'); print('{no'); raise SystemExit(7)"], 60)
    session.step("is absent", [sys.executable, "-m", "no_such_module"], 60)
    session.step("good", [sys.executable, "-c", "print('{\"ms\": 2.5}')"], 60)
    found = {line["step"]: line for line in lines(session)}
    assert [found[name]["code"] for name in ("hangs", "fails", "is absent", "good")] == ["timeout", 7, 1, 0]
    assert found["fails"]["figures"] == [{"a": 1}]
    assert found["good"]["figures"] == [{"ms": 2.5}]
    assert "no_such_module" in found["is absent"]["output"][-1]


def test_no_folder_of_the_machine_is_written(session: Any) -> None:
    places = [ROOT / "tests/bench/gpu.py", Path(sys.prefix) / "lib", Path(tempfile.gettempdir()) / "one", Path.home()]
    program = f"import json; print({' '.join(map(str, places))!r}); print(json.dumps({{'run': {str(ROOT)!r}}}))"
    session.step("prints", [sys.executable, "-c", program, str(ROOT / "tests")], 60)
    text = session.file.read_text()
    assert "tests/bench/gpu.py PYTHON/lib TMP/one HOME" in text
    for folder in (ROOT, sys.prefix, tempfile.gettempdir(), Path.home()):
        assert f"{folder}/" not in text
        assert f'"{folder}"' not in text


def test_no_folder_of_a_machine_is_committed() -> None:
    known = re.compile(r"(?<![\w.~-])/(?:work|workspace|root|home|tmp|opt|usr|mnt|private|Users)/[\w.-]+")
    for file in sorted((ROOT / "reports").rglob("*")):
        if file.suffix in (".jsonl", ".json", ".md", ".tex"):
            assert known.findall(file.read_text(encoding="utf-8")) == [], file


def test_a_step_that_hangs_is_ended_with_all_that_it_started(script: Any, session: Any, tmp_path: Path) -> None:
    child = f"import os, threading; open({str(tmp_path / 'child')!r}, 'w').write(str(os.getpid()));"
    child += "threading.Event().wait()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    running = session.start([sys.executable, "-c", parent], subprocess.DEVNULL)
    while not ((tmp_path / "child").is_file() and (tmp_path / "child").read_text()):
        assert running.poll() is None
    script.stop(running)
    running.wait(30)
    number = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{number}/stat")
    assert not status.is_file() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_timings_leave_time_for_what_follows(script: Any, tmp_path: Path) -> None:
    session = script.Session(tmp_path / "out.jsonl", os.environ, minutes=1)
    assert session.step("late", [sys.executable, "-c", ""], 60, reserve=script.KEPT_BACK) is None
    assert lines(session) == [{"step": "late", "skipped": "no time was left"}]


def test_a_skipped_test_has_failed(script: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = '<testsuites><testsuite tests="10" failures="0" errors="0" skipped="{}"/></testsuites>'
    for skipped, passed in ((0, True), (1, False)):
        (tmp_path / "gpu-tests.xml").write_text(case.format(skipped))
        monkeypatch.setattr(session, "step", lambda *given: "ran")
        script.tests(session, sys.executable, tmp_path, rehearse=False)
        assert lines(session)[-1]["passed"] is passed
    (tmp_path / "gpu-tests.xml").write_text(case.format(0).replace('"10"', '"0"'))  # none were collected
    script.tests(session, sys.executable, tmp_path, rehearse=False)
    assert lines(session)[-1]["passed"] is False


def test_the_entry_points_are_found_without_an_installation(script: Any, tmp_path: Path) -> None:
    script.metadata(tmp_path)
    program = "import importlib.metadata as m, sys; d = next(m.distributions(name='risbench', path=[sys.argv[1]]));"
    program += "print(sorted({e.group for e in d.entry_points}), len(d.entry_points), d.version)"
    command = [sys.executable, "-S", "-c", program, str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    from importlib.metadata import distribution

    installed = distribution("risbench")
    wanted = {point.group for point in installed.entry_points}
    assert printed.strip() == f"{sorted(wanted)} {len(installed.entry_points)} {installed.version}"


def test_without_a_gpu_it_ends_at_once_with_one_line(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What the script has the machine's Python answer is answered here, where all of it is imported already.
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    exec(script.CHECK, {})
    printed = capsys.readouterr().out
    assert json.loads(printed)["device"] is None
    monkeypatch.setattr(script, "CHECK", f"print({printed!r})")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "out")])
    assert script.main() == 1
    line = "make gpu: torch finds no CUDA device here; `--rehearse` tries the script on a CPU"
    assert capsys.readouterr().out.splitlines() == [line]
    assert not (tmp_path / "out").exists()
