"""Grids of pictures: they are written, they are the same each time, and they show the masks that were scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import SIZE, rectangle, refer_content, sentence, write_image, write_refer
from made_up.answers import Answers, heats_for, masks_for

from reports import grid
from risbench import DataError, Run, Split, UsageError, evaluate, load_split

SPLIT = "refcoco_val"


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return _split(tmp_path / "data")


def _split(root: Path, text: str | None = None) -> Split:
    instances, refs = refer_content()
    if text is not None:
        for ref in refs:
            ref["sentences"] = [sentence(one["sent_id"], text) for one in ref["sentences"]]
    write_refer(root, instances, refs)
    for number in (1, 2):
        write_image(root / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    return load_split(SPLIT, root)


@pytest.fixture
def run(split: Split, tmp_path: Path) -> Run:
    return evaluate(Answers(masks_for(split)), split, out=tmp_path / "run")


def test_a_png_and_a_pdf_are_written(run: Run, tmp_path: Path):
    png, pdf = tmp_path / "new" / "grid.png", tmp_path / "new" / "grid.pdf"
    assert grid.render([run], out=png) is None
    grid.render([run, run], out=pdf)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    from PIL import Image

    with Image.open(png) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    # Both colours are in it, and most of it is picture.
    for colour in (grid.TRUTH, grid.PREDICTED):
        assert (np.abs(pixels - 255 * np.array(colour)).max(axis=2) < 12).sum() > 100
    assert (pixels < 250).any(axis=2).mean() > 0.4


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_the_same_runs_make_the_same_file(
    run: Run, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    import matplotlib as mpl

    grid.render([run], out=tmp_path / f"one.{suffix}", count=2)
    # The reader's own style is not heard, and the clock neither.
    monkeypatch.setitem(mpl.rcParams, "font.size", 30)
    monkeypatch.setitem(mpl.rcParams, "figure.facecolor", "black")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    grid.render([run], out=tmp_path / f"two.{suffix}", count=2)
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    assert mpl.rcParams["font.size"] == 30
    other = evaluate(Answers(masks_for(split, seed=1)), split, out=tmp_path / "other")
    grid.render([other], out=tmp_path / f"three.{suffix}", count=2)
    assert (tmp_path / f"one.{suffix}").read_bytes() != (tmp_path / f"three.{suffix}").read_bytes()


@pytest.mark.parametrize(
    "text",
    ["costs $5", "costs $5 or $6_a^b", r"\alpha $\frac{1}{$", "猫 ☕ 🐈", "", "a " * 300, "x" * 300, "{} %s %(a)s"],
)
@pytest.mark.filterwarnings("ignore:(no installed font|some letters are drawn)")  # depends on the machine
def test_any_text_and_any_name_can_be_drawn(tmp_path: Path, text: str):
    split = _split(tmp_path / "data", text)
    run = evaluate(Answers(masks_for(split)), split, name=text or "none", out=tmp_path / "run")
    grid.render([run], out=tmp_path / "grid.png", count=1)
    assert (tmp_path / "grid.png").stat().st_size > 10_000


def test_masks_at_the_size_of_the_rules_are_drawn_on_the_image(split: Split, tmp_path: Path):
    run = evaluate(Answers(heats_for(split)), split, rules="lavt", out=tmp_path / "run")
    assert next(run.masks())[1]["segmentation"]["size"] == [480, 480]
    grid.render([run], out=tmp_path / "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 10_000


def test_a_small_image_is_enlarged_by_a_whole_number_before_its_contour_is_drawn():
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    mask = rectangle((100, 150), 40, 30, 90, 70)
    drawn = grid.tinted(image, mask, grid.PREDICTED)
    assert drawn.shape == (400, 600, 3)
    inside, outside = drawn[200, 260], drawn[20, 20]
    assert np.allclose(inside, 0.65 * image[50, 65] + 0.35 * 255 * np.array(grid.PREDICTED), atol=1)
    assert np.allclose(outside, 0.7 * image[5, 5], atol=1)
    # A rim in the very colour runs along the mask's edge; it is thinner than two of the image's pixels.
    blue = np.abs(drawn.astype(int) - np.round(255 * np.array(grid.PREDICTED))).max(axis=2) < 3
    columns = np.flatnonzero(blue[200])
    assert 2 <= len(columns) <= 16
    assert all(min(abs(column - 160), abs(column - 360)) <= 8 for column in columns)
    # Every pixel of the plain picture is a square of one colour.
    assert np.array_equal(grid._enlarged(image)[::4, ::4], image)
    assert np.array_equal(grid._enlarged(image)[3::4, 3::4], image)


@pytest.mark.parametrize("size", [(480, 640), (600, 200), (1000, 1500)])
def test_a_large_image_keeps_its_size(size: tuple[int, int]):
    assert grid.tinted(np.zeros((*size, 3), np.uint8), np.zeros(size, bool), grid.TRUTH).shape == (*size, 3)


def test_an_image_is_left_alone():
    image, mask = np.full((500, 500, 3), 9, np.uint8), rectangle((500, 500), 0, 0, 500, 500)
    grid.tinted(image, mask, grid.TRUTH)
    assert (image == 9).all()
    assert mask.all()


@pytest.mark.parametrize("out", [None, "grid.jpg", "grid"])
def test_only_png_pdf_and_svg_are_pictures_here(run: Run, tmp_path: Path, out: str | None):
    with pytest.raises(UsageError, match=r"give --out FILE\.png, FILE\.pdf or FILE\.svg"):
        grid.render([run], out=None if out is None else tmp_path / out)


def test_what_cannot_be_drawn_together_is_refused(run: Run, split: Split, tmp_path: Path):
    other = Run(run.path, run.header, {**run.summary, "split": "refcoco_testA"})
    with pytest.raises(UsageError, match="runs of one split"):
        grid.render([run, other], out=tmp_path / "grid.png")
    with pytest.raises(UsageError, match="at least one run"):
        grid.render([], out=tmp_path / "grid.png")
    halves = [evaluate(Answers(masks_for(split)), split, shard=(n, 2), out=tmp_path / "halves") for n in (0, 1)]
    with pytest.raises(DataError, match="no expression in common"):
        grid.render(halves, out=tmp_path / "grid.png")


def test_another_copy_of_the_split_is_refused(run: Run, tmp_path: Path):
    header = json.loads((run.path / "header.json").read_text())
    header["split"]["sources"][0]["sha256"] = "another"
    (run.path / "header.json").write_text(json.dumps(header))
    with pytest.raises(DataError, match="another copy of refcoco_val"):
        grid.render([Run.load(run.path)], out=tmp_path / "grid.png")


def test_an_absent_image_is_named(run: Run, split: Split, tmp_path: Path):
    for file in split.image_folder.iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"COCO_train2014_.*no such image"):
        grid.render([run], out=tmp_path / "grid.png")
