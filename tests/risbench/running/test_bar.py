"""Long work tells where it is: a bar on a terminal, elsewhere a line every half minute."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from risbench.running.bar import Bar, remaining_text, speed_text


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def lines_of(amounts: list[int], total: int | None, *, step: float = 10.0, **more: bool) -> list[str]:
    """What is written to a pipe if work reports these amounts, one every ``step`` seconds."""
    stream, clock = io.StringIO(), Clock()
    with Bar(console=Console(file=stream, force_terminal=False, width=80), clock=clock, **more) as bar:
        task = bar.add_task("scoring [x]", total=None, scores="")
        for amount in amounts:
            clock.seconds += step
            bar.update(task, completed=amount, total=total, scores="mIoU 40.0")
    return stream.getvalue().splitlines()


def test_a_line_every_half_minute_has_amount_speed_time_left_and_scores():
    assert lines_of(list(range(100, 900, 100)), 1200) == [
        "scoring [x]: 300 of 1,200, 10.0/s, about 2 min left, mIoU 40.0",
        "scoring [x]: 600 of 1,200, 10.0/s, about 60 s left, mIoU 40.0",
    ]


def test_short_work_writes_nothing():
    assert lines_of([1, 2], 3) == []


def test_what_was_done_before_a_continued_run_says_nothing_of_its_speed():
    (line,) = lines_of([1_000, 1_001, 1_002], 1_100, step=15)
    assert "1,001 of 1,100, 15.0 s each, about 25 min left" in line


def test_other_ranks_write_nothing_and_bytes_are_megabytes():
    assert lines_of(list(range(9)), 9, shown=False) == []
    (line,) = lines_of([10_000_000, 20_000_000, 30_000_000], 100_000_000, in_bytes=True)
    assert "30 of 100 MB, 1.0 MB/s, about 70 s left" in line


def test_a_total_that_is_not_known_is_not_made_up():
    (line,) = lines_of([1, 2, 3], None)
    assert line == "scoring [x]: 3, 10.0 s each, mIoU 40.0"


def test_a_full_disk_does_not_end_the_work():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    clock = Clock()
    with Bar(console=Console(file=Full(), force_terminal=False), clock=clock) as bar:
        task = bar.add_task("x", total=9)
        for done in range(9):
            clock.seconds += 40
            bar.update(task, completed=done)


@pytest.mark.parametrize(
    ("seconds", "text"), [(40.4, "about 40 s left"), (720, "about 12 min left"), (12_000, "about 3 h 20 min left")]
)
def test_a_remaining_time_is_in_words(seconds: float, text: str):
    assert remaining_text(seconds) == text


def test_a_slow_speed_is_seconds_a_step():
    assert [speed_text(speed) for speed in (0.0, 0.25, 1.0, 1234.5)] == ["", "4.0 s each", "1.0/s", "1,234.5/s"]
