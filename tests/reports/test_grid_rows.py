"""Which rows a grid shows: by the rule that its caption states; and the heats beside them."""

from __future__ import annotations

import matplotlib.figure
import numpy as np
import pytest
from click.testing import CliRunner
from helpers.small import small_split
from hypothesis import given
from hypothesis import strategies as st

from reports import curves, gallery, grid
from reports.about import common_columns
from reports.choice import chosen_samples
from reports.grid import coloured
from reports.tables import markdown
from risbench import Split, UsageError, load_split, plugins
from risbench.cli.report import command
from risbench.results.columns.rowcolumns import RowColumns
from risbench.results.rows import Row


@pytest.fixture(scope="module")
def taken(drawn_runs):
    """Chooses among the drawn runs' expressions."""
    split, (rows, _) = load_split("shapes_val"), common_columns(drawn_runs)
    return lambda rule, count=None: chosen_samples(split, rows, rule, count)


def _mean(drawn_runs) -> dict[str, float]:
    listed = [run.rows() for run in drawn_runs]
    return {of[0].id: sum(row.iou for row in of) / len(of) for of in zip(*listed, strict=True)}


def test_worst_and_best_rows_are_of_the_lowest_and_highest_mean_one_an_image(taken, drawn_runs):
    mean = _mean(drawn_runs)
    image = {row.id: row.image_id for row in drawn_runs[0].rows()}
    for rule, pick in (("worst", min), ("best", max)):
        samples, result = taken(rule, 3)
        assert rule.replace("worst", "lowest").replace("best", "highest") in result
        assert len({sample.image_id for sample in samples}) == 3
        of_image = [pick(mean[name] for name in mean if image[name] == sample.image_id) for sample in samples]
        assert [mean[sample.id] for sample in samples] == of_image
        assert mean[samples[0].id] == pick(mean.values())


def test_disagreeing_rows_differ_most_and_need_two_runs(taken, drawn_runs):
    listed = [{row.id: row.iou for row in run.rows()} for run in drawn_runs]
    apart = {name: max(of[name] for of in listed) - min(of[name] for of in listed) for name in listed[0]}
    samples, _ = taken("disagree", 4)
    assert apart[samples[0].id] == max(apart.values())
    found = [apart[sample.id] for sample in samples]
    assert found == sorted(found, reverse=True)
    with pytest.raises(UsageError, match="two or more"):
        chosen_samples(load_split("shapes_val"), common_columns(drawn_runs[:1])[0], "disagree")


def test_a_seed_draws_the_same_rows_whatever_the_runs_and_another_seed_others(taken, drawn_runs):
    ids = [sample.id for sample in taken("random:3", 4)[0]]
    alone = chosen_samples(load_split("shapes_val"), common_columns(drawn_runs[2:])[0], "random:3", 4)[0]
    assert ids == [sample.id for sample in alone] != [sample.id for sample in taken("random:4", 4)[0]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 7)


@given(data=st.data())
def test_rules_choose_as_they_say_also_where_rows_or_true_masks_are_absent(small: Split, data: st.DataObject):
    kept = data.draw(st.lists(st.sampled_from(small.ids), unique=True, min_size=1))
    iou = st.none() | st.integers(0, 10)
    tenths = {name: data.draw(st.lists(iou, min_size=2, max_size=2)) for name in kept}
    columns = [
        RowColumns.of(
            [
                Row(
                    name,
                    small.sample(name).image_id,
                    0,
                    0,
                    *((ten, 10) if ten is not None else (None, None)),
                    *[None] * 3,
                )
                for name in kept
                for ten in [tenths[name][run]]
            ]
        )
        for run in (0, 1)
    ]
    ious = {name: [ten / 10 for ten in both if ten is not None] for name, both in tenths.items()}
    keys = {"worst": sum, "best": lambda of: -sum(of), "disagree": lambda of: min(of) - max(of)}
    in_order = [sample for sample in small if sample.id in ious]
    for rule, key in keys.items():
        listed = sorted((one for one in in_order if ious[one.id]), key=lambda one: key(ious[one.id]))
        firsts = list({one.image_id: one for one in reversed(listed)}.values())
        wanted = sorted(firsts, key=listed.index)[:3]
        if wanted:
            assert chosen_samples(small, columns, rule, 3)[0] == wanted
        else:
            with pytest.raises(UsageError, match="needs IoU"):
                chosen_samples(small, columns, rule, 3)
    groups = [mine for group in small.by_image() if (mine := [one for one in group if one.id in ious])]
    places = np.linspace(0, len(groups) - 1, min(4, len(groups))).round().astype(int).tolist()
    wanted = [groups[place][turn % len(groups[place])] for turn, place in enumerate(places)]
    assert chosen_samples(small, columns, "spread", 4)[0] == wanted
    turn = [small[at] for at in np.random.default_rng(5).permutation(len(small)).tolist()]
    listed = [one for one in turn if one.id in ious]
    wanted = sorted({one.image_id: one for one in reversed(listed)}.values(), key=listed.index)[:2]
    assert chosen_samples(small, columns, "random:5", 2)[0] == wanted


def test_ids_may_be_shortened_to_what_is_unique(taken, drawn_runs):
    rows = drawn_runs[0].rows()
    names = [rows[5].id, str(rows[2].sent_id)]
    assert [sample.id for sample in taken("ids:" + ", ".join(names))[0]] == [rows[5].id, rows[2].id]


@pytest.mark.parametrize(
    ("rule", "count", "result"),
    [
        ("wurst", None, "did you mean 'worst'"),
        ("random:x", None, "random:SEED"),
        ("ids:nothing", None, "no expression"),
        ("ids:", None, "no expression"),
        ("ids:1", 2, "leave --count out"),
        ("best", 0, "1 to 100"),
    ],
)
def test_rows_that_there_are_not_are_refused_with_the_next_step(taken, rule, count, result):
    with pytest.raises(UsageError, match=result):
        taken(rule, count)


def test_the_caption_states_rule_split_rules_and_that_scenes_are_drawn(drawn_runs, tmp_path, monkeypatch):
    result: list[str] = []
    text = matplotlib.figure.Figure.text
    monkeypatch.setattr(
        matplotlib.figure.Figure, "text", lambda self, *a, **k: result.append(a[2]) or text(self, *a, **k)
    )
    grid.render(drawn_runs, out=tmp_path / "grid.png", rows="random:7", count=2)
    caption = " ".join(result[0].split())
    for part in ("at random with seed 7", "Split shapes_val", "Rules tris", "Drawn scenes", "PARTIAL", "Orange: truth"):
        assert part in caption


def test_heats_get_a_column_where_they_were_saved_and_are_asked_for_in_vain_elsewhere(drawn_runs, tmp_path):
    from PIL import Image

    for name, heat in (("plain", False), ("hot", True)):
        grid.render(drawn_runs, out=tmp_path / f"{name}.png", count=1, heat=heat)
    with Image.open(tmp_path / "plain.png") as plain, Image.open(tmp_path / "hot.png") as hot:
        assert hot.width == pytest.approx(plain.width * 6 / 5, abs=2)
    with pytest.raises(UsageError, match="--save-heat"):
        grid.render(drawn_runs[1:], out=tmp_path / "none.png", heat=True)


def test_a_heat_is_darkest_where_it_is_lowest_and_brightest_where_highest():
    heat = np.linspace(-3, 5, 12, dtype=np.float32).reshape(3, 4)
    light = coloured(np.full((30, 40, 3), 128, np.uint8), heat).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert np.unravel_index(light.argmin(), light.shape) == (0, 0)
    assert light[-1, -1] == light.max()
    assert len(np.unique(coloured(np.zeros((4, 4, 3), np.uint8), np.ones((2, 2))))) <= 3


def test_the_command_passes_options_on_and_refuses_those_without_meaning(drawn_runs, tmp_path, monkeypatch):
    known = {"grid": grid.render, "html": gallery.render, "curves": curves.render, "markdown": markdown.render}
    monkeypatch.setattr(plugins, "load", lambda group, name: known[name])
    paths = [str(run.path) for run in drawn_runs[1:]]

    def result(*words: str) -> str:
        done = CliRunner().invoke(command, [*paths, *words])
        return "" if done.exit_code == 0 else str(done.exception)

    assert result("--as", "grid", "--out", str(tmp_path / "a.png"), "--rows", "worst", "--count", "2") == ""
    assert result("--as", "html", "--out", str(tmp_path / "a.html"), "--thumbnails", "beside") == ""
    assert (tmp_path / "a_files" / "000000.jpg").is_file()
    assert "--thumbnails" in result("--as", "grid", "--out", str(tmp_path / "a.png"), "--thumbnails", "inside")
    assert "--rows" in result("--as", "markdown", "--rows", "worst")
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2}\n')
    log = str(tmp_path / "log.jsonl")
    # A training's log beside runs is for curves; other forms pass it over and say so.
    assert "log.jsonl" in CliRunner().invoke(command, [*paths, log, "--as", "markdown"]).stderr
    assert result(log, "--as", "curves", "--out", str(tmp_path / "c.png")) == ""
