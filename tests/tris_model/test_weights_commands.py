"""TRIS from the command line: made-up weights, real commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import SIZE, write_image, write_refer
from helpers.commands import Ask
from PIL import Image

from risbench import Run
from tris_model import Stage1, Stage2, load, save


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def files(small: Stage1, small2: Stage2, tmp_path: Path) -> dict[int, Path]:
    save(small, tmp_path / "one.pth")
    save(small2, tmp_path / "two.pth")
    return {1: tmp_path / "one.pth", 2: tmp_path / "two.pth"}


@pytest.mark.parametrize("stage", [1, 2])
def test_a_checkpoint_of_either_stage_is_run_and_scored(ask: Ask, files: dict[int, Path], stage: int, tmp_path: Path):
    root = write_refer(tmp_path / "data")
    for number in (1, 2, 3, 4):
        write_image(root / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    words = ("--split", "refcoco_val", "--data-root", root, "--weights", files[stage], "--out", "run", "--json")
    result = ask("run", "--method", "tris", *words)
    assert result.code == 0, result.err
    assert all(value["count"] > 0 for value in json.loads(result.out)["metrics"].values())
    run = Run.load(tmp_path / "run")
    assert run.header["method"]["card"]["weights"]
    assert run.header["provenance"][0]["facts"]["texts"] == run.summary["count"]
    assert run.header["provenance"][0]["facts"]["texts_cut"] == 0
    assert run.cost()[0]["parameters"] == sum(weight.numel() for weight in load(files[stage]).parameters())


def test_without_weights_one_line_names_the_file_and_where_from(ask: Ask, tmp_path: Path):
    root = write_refer(tmp_path / "data")
    result = ask("run", "--method", "tris", "--split", "refcoco_val", "--data-root", root)
    assert result.code == 2
    line = result.err.strip().splitlines()[-1]
    assert line.startswith("risbench: tris needs weights")
    assert "stage2_refcoco.pth" in line
    assert "--weights shapes" in line


def test_predict_writes_what_was_asked_for(ask: Ask, files: dict[int, Path], picture: Path, tmp_path: Path):
    words = ("--weights", files[1], "--overlay", "over.png", "--mask", "mask.png", "--heat", "heat.npy", "--json")
    result = ask("predict", "--method", "tris", picture, "the red ball", "a dog $x$ <b>", *words)
    assert result.code == 0, result.err
    answers = json.loads(result.out)["answers"]
    assert [answer["text"] for answer in answers] == ["the red ball", "a dog $x$ <b>"]
    side = load(files[1]).config.image_size
    for number, answer in enumerate(answers, start=1):
        mask = np.asarray(Image.open(tmp_path / f"mask-{number}.png"))
        assert mask.shape == (60, 90)
        assert set(np.unique(mask)) <= {0, 255}
        assert (mask > 0).mean() == pytest.approx(answer["share"], abs=1e-6)
        heat = np.load(tmp_path / f"heat-{number}.npy", allow_pickle=False)
        assert heat.shape == (side, side)
        assert heat.dtype == np.float32
    with Image.open(tmp_path / "over.png") as overlay:
        assert overlay.size[0] > 500


def test_one_text_gives_files_of_the_names_asked_for(ask: Ask, files: dict[int, Path], picture: Path, tmp_path: Path):
    result = ask("predict", "--method", "tris", picture, "the ball", "--weights", files[2], "--mask", "m.png")
    assert result.code == 0, result.err
    assert (tmp_path / "m.png").is_file()
    assert "the ball: " in result.out
    assert result.err.endswith("written: m.png\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("picture.png", "x", "--weights", "one.pth", "--mask", "m.jpg"), "m.jpg: the name must end in .png"),
        (("absent.png", "x", "--weights", "one.pth"), "absent.png"),
        (("picture.png", "x", "--weights", "absent.pth"), "absent.pth"),
        (("picture.png", "x", "--weights", "one.pth", "--rules", "lavt"), "480x480"),
        (("picture.png", "x", "--weights", "one.pth", "--set", "keep_ends=true"), "did you mean 'keep_end'?"),
        (("picture.png", "x", "--weights", "one.pth", "--set", "stage=2"), "stage 1, not 2"),
        (("picture.png", "x"), "tris needs weights"),
    ],
)
def test_what_is_wrong_is_one_line(ask: Ask, files: dict[int, Path], picture: Path, words: tuple[str, ...], line: str):
    result = ask("predict", "--method", "tris", *words)
    assert result.code in (1, 2)
    assert line in result.err.strip().splitlines()[-1]
    assert "Traceback" not in result.err


def test_weights_are_converted_there_and_back_and_shown(ask: Ask, files: dict[int, Path], tmp_path: Path):
    assert ask("weights", "convert", files[1]).code == 0
    assert ask("weights", "convert", "one.safetensors", "back.pth").code == 0
    before, after = load(files[1]).state_dict(), load(tmp_path / "back.pth").state_dict()
    assert before.keys() == after.keys()
    assert all(before[key].equal(after[key]) for key in before)
    shown = json.loads(ask("weights", "show", "one.safetensors", "--json").out)
    assert shown["stage"] == 1
    assert shown["said"]["source"] == "one.pth"
    same = ask("weights", "convert", files[1], files[1])
    assert same.code == 2
    assert "would be overwritten" in same.err
