"""The board: entries are checked key by key, ranked fairly, and shown with what papers report beside them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.examples import examples
from helpers.golden import is_golden
from helpers.runs import ious_of, write_run
from hypothesis import given
from hypothesis import strategies as st

from reports import board as page
from risbench import DataError
from risbench.cli import app
from risbench.leaderboard import published
from risbench.leaderboard.board import entries_in, rankings_of
from risbench.leaderboard.entry import check, file_name, make_entry, read, write
from risbench.metrics.metric_names import parse_all

DIGESTS = {"rows": "a" * 64, "masks": "b" * 64}
METRICS = parse_all("mIoU,P@0.5,PointM")
TOP = Path(__file__).parents[3]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    runs = {
        "TRIS": {"level": 0.35},
        "<script>alert(1)</script> | \\input{x} 100% שלום": {"level": 0.25},
        "oracle": {"level": 0.8, "card": {"supervision": "oracle", "reads": ["box"]}},
        "points_not": {"level": 0.2, "points": False},
        "long " + "x" * 500: {"level": 0.1},
    }
    for number, (name, more) in enumerate(runs.items()):
        run = write_run(tmp_path / "runs" / str(number), ious_of(more.pop("level"), number), method=name, **more)
        write(make_entry(run, DIGESTS), tmp_path / "board")
    return tmp_path / "board"


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, Any]:
    run = write_run(tmp_path / "run", [[0.5], [0.25]], method="tris")
    return json.loads(json.dumps(make_entry(run, DIGESTS)))


def test_the_published_file_is_the_projects_byte_for_byte():
    shared = TOP.parent / "shared" / "spec" / "published.json"
    if not shared.is_file():
        pytest.skip("no shared specification")
    assert (TOP / "risbench" / "leaderboard" / "published.json").read_bytes() == shared.read_bytes()


def test_every_published_figure_is_a_fraction_with_a_source():
    for figure in published.figures():
        assert 0 < figure.value < 1
        assert figure.source
        assert figure.confidence in ("read", "derived")
    assert len(published.figures_of("tris", "refcoco_val")) == 1


def test_an_entry_holds_what_was_measured_beside_what_was_reported(entry: dict[str, Any]):
    assert check(entry, "here") is entry
    assert entry["measured"]["metrics"]["mIoU"]["value"] == 0.375
    assert [(figure["metric"], figure["value"]) for figure in entry["reported"]] == [("mIoU", 0.3117)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mIoU": {"value": 0.7, "low": 0.3, "high": 0.4}}, "mIoU is 70.00, outside its interval"),
        ({"PointM": {"low": 0.9, "high": 1.0}}, "PointM is .*, outside its interval"),
        ({"P@0.9": {"value": 0.9, "low": 0.8, "high": 1.0}}, "P@0.9 is 90.00, above P@0.8"),
        ({"mIoU": {"value": 0.9, "low": 0.8, "high": 1.0}}, "with these P@k it lies between"),
        ({"mIoU": {"value": 0.1, "low": 0.0, "high": 0.2}}, "with these P@k it lies between"),
        ({"oIoU": {"count": 3}}, "oIoU counts 3 of 2 expressions"),
        ({"oIoU": {"low": None}}, "oIoU has only a part"),
    ],
)
def test_figures_that_cannot_be_true_together_are_refused(entry: dict[str, Any], changes: dict[str, Any], words: str):
    for name, numbers in changes.items():
        entry["measured"]["metrics"][name].update(numbers)
    with pytest.raises(DataError, match=words):
        check(entry, "here")


def test_more_expressions_than_the_split_has_are_refused(entry: dict[str, Any]):
    entry["measured"]["counts"]["expressions"] = 1
    with pytest.raises(DataError, match="2 expressions were scored of 1"):
        check(entry, "here")


@examples(10)
@given(
    ious=st.lists(st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=2), min_size=1, max_size=9)
)
def test_whatever_a_run_scores_is_possible(tmp_path_factory: pytest.TempPathFactory, ious: list[list[float]]):
    run = write_run(tmp_path_factory.mktemp("run") / "run", ious)
    check(json.loads(json.dumps(make_entry(run, DIGESTS))), "here")


def _set(*keys: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(entry: dict[str, Any]) -> None:
        for key in keys[:-1]:
            entry = entry[key]
        if to is ...:
            del entry[keys[-1]]
        else:
            entry[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_set("schema", to=2), "schema 2; this version reads 1"),
        (_set("schema", to=...), "schema None"),
        (_set("split", to=3), "split is int, not str"),
        (_set("measured", "count", to=True), "measured.count is bool, not int"),
        (_set("measured", "rules", "text", to=...), "measured.rules.text is absent"),
        (_set("measured", "rank", to=1), "measured.rank is not part of an entry"),
        (_set("measured", "hardware", "cores", to="two"), "measured.hardware.cores is str, not int"),
        (_set("measured", "metrics", "mIoU", "value", to=37.5), "figures are fractions"),
        (_set("measured", "metrics", "mIoU", "low", to=...), "measured.metrics.mIoU.low is absent"),
        (_set("measured", "metrics", "mIoU", "count", to=0), "its value must be null if its count is 0"),
        (_set("measured", "metrics", "best", to={}), "no metric named 'best'"),
        (_set("measured", "metrics", "cIoU", to={}), "write oIoU"),
        (_set("reported", to=[{"metric": "mIoU"}]), r"reported\[0\].value is absent"),
        (_set("reported", to=None), "reported is null, not list"),
    ],
)
def test_what_is_no_entry_is_refused_by_the_key(entry: dict[str, Any], change: Callable, what: str):
    wrong = copy.deepcopy(entry)
    change(wrong)
    with pytest.raises(DataError, match=what):
        check(wrong, "here")


def test_an_entry_lies_under_its_own_name(entry: dict[str, Any], tmp_path: Path):
    path = write(entry, tmp_path)
    assert read(path) == entry
    path.rename(moved := path.with_name("other.json"))
    with pytest.raises(DataError, match=r"belongs to refcoco_val/tris\.json"):
        read(moved)


def test_names_make_file_names():
    assert file_name("WWbL (VG-trained)") == "WWbL_VG-trained.json"
    assert file_name("../../etc/passwd") == "etc_passwd.json"
    assert file_name("…") == "method.json"
    assert len(file_name("x" * 500)) == 105


def test_the_ranking_is_by_the_first_metric_and_controls_have_no_rank(board: Path):
    (ranking,) = rankings_of(entries_in(board), METRICS)
    ours = [place for place in ranking.places if place.entry is not None]
    assert [place.method[:4] for place in ours] == ["orac", "TRIS", "<scr", "poin", "long"]
    assert [place.rank for place in ours] == [None, 1, 2, 3, 4]
    # By another metric those without it come last, unranked.
    (ranking,) = rankings_of(entries_in(board), parse_all("PointM"))
    assert {place.method: place.rank for place in ranking.places if place.entry}["points_not"] is None


def test_equals_share_a_rank(tmp_path: Path):
    for name, level in (("a", 0.5), ("b", 0.5), ("c", 0.2)):
        run = write_run(tmp_path / name, [[level]], method=name)
        write(make_entry(run, DIGESTS), tmp_path / "board")
    (ranking,) = rankings_of(entries_in(tmp_path / "board"), METRICS)
    assert [place.rank for place in ranking.places if place.entry] == [1, 1, 3]


def test_other_rules_or_files_make_another_ranking(tmp_path: Path):
    for name, more in (("a", {}), ("b", {"rules": "clean"}), ("c", {"source": "1" * 64})):
        run = write_run(tmp_path / name, [[0.5]], method=name, **more)
        write(make_entry(run, DIGESTS), tmp_path / "board")
    assert len(rankings_of(entries_in(tmp_path / "board"), METRICS)) == 3


def test_what_papers_report_stands_beside_or_below_and_is_never_ranked(board: Path):
    (ranking,) = rankings_of(entries_in(board), METRICS)
    by_name = {place.method: place for place in ranking.places}
    assert by_name["TRIS"].reported["mIoU"].value == 0.3117
    assert by_name["TRIS"].values["mIoU"]["value"] != 0.3117
    assert by_name["LAVT"].entry is None
    assert by_name["LAVT"].rank is None
    # A split that nobody ran shows what is published.
    (empty,) = rankings_of([], METRICS, "refcoco_testA")
    assert all(place.entry is None for place in empty.places)
    assert rankings_of([], METRICS, "shapes_val") == []


@pytest.mark.parametrize(("form", "suffix"), [(page.markdown, "md"), (page.html, "html")])
def test_the_board_reads_as_it_was_looked_at(board: Path, form: Callable, suffix: str):
    text = form(rankings_of(entries_in(board), METRICS))
    assert is_golden(text, f"board.{suffix}")
    own = text.replace(f"<script>{page._SCRIPT}</script>", "", 1)  # the page sorts itself; names bring no script
    assert "<script" not in own.replace(r"\<script", "")


@pytest.mark.parametrize("kind", ["terminal", "markdown", "html", "json"])
@pytest.mark.parametrize("change", [lambda held: held.pop("intervals"), lambda held: held.update(intervals="other")])
def test_every_form_of_the_board_says_that_an_entrys_intervals_are_old(
    board: Path, kind: str, change: Callable[[dict[str, Any]], object]
):
    words = "its intervals were made by an older version, or changed"
    requested = ["leaderboard", "--board", str(board), "--as", kind]
    assert words not in CliRunner().invoke(app, requested).stdout
    path = board / "refcoco_val" / "TRIS.json"
    entry = json.loads(path.read_text())
    change(entry["measured"])
    path.write_text(json.dumps(entry))
    result = CliRunner().invoke(app, requested)
    assert result.exit_code == 0
    assert result.stdout.count(words) == 1
    if kind == "json":
        marked = [one["method"] for one in json.loads(result.stdout) if words in "".join(one.get("marks", []))]
        assert marked == ["TRIS"]


@pytest.mark.parametrize("kind", ["terminal", "markdown", "html", "json"])
def test_every_form_of_the_board_prints_an_entrys_warnings(board: Path, kind: str):
    path = board / "refcoco_val" / "TRIS.json"
    entry = json.loads(path.read_text())
    entry["measured"]["warnings"] = ["12 masks cover the whole image"]
    path.write_text(json.dumps(entry))
    result = CliRunner().invoke(app, ["leaderboard", "--board", str(board), "--as", kind]).stdout
    assert "12 masks cover the whole image" in result


def test_a_board_that_is_not_there_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(DataError, match="risbench submit RUN --board"):
        entries_in(tmp_path / "none")


def test_our_own_entries_are_sound():
    entries = entries_in(page.folder())
    names = {entry["method"] for entry in entries if entry["split"] == "shapes_test"}
    floors = {"centre", "full", "random_box", "random_point", "oracle_box", "oracle_class", "random_same_class"}
    assert floors <= names
    for entry in entries:
        commit = entry["measured"]["commit"]
        assert commit is not None
        assert not commit.endswith("+changes")
