"""A split on disk is whole or absent, whoever writes it and however that ends."""

import json
import os
import pickle
import pickletools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.waiting import GUARD, wait_until
from PIL import Image

from risbench.datasets.shapes import SPLITS, VERSION, draw_scene, write, write_split
from risbench.datasets.shapes.entries import annotation_entries
from risbench.datasets.shapes.splits import FrozenSplit
from risbench.errors import DataError, UsageError

WRITER = """
import sys
from risbench.datasets.shapes import write
from risbench.datasets.shapes.splits import FrozenSplit, SPLITS
write.SPLITS = {"val": FrozenSplit(int(sys.argv[2]), SPLITS["val"].seeds)}
print(write.write_split("val", sys.argv[1]))
"""


@pytest.fixture
def few(monkeypatch):
    def only(images):
        monkeypatch.setattr(write, "SPLITS", {"val": FrozenSplit(images, SPLITS["val"].seeds)})

    return only


def contents(folder):
    """Every file below a folder, pictures decoded."""

    def read(path):
        return np.asarray(Image.open(path)).tobytes() if path.suffix == ".png" else path.read_bytes()

    return {str(path.relative_to(folder)): read(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def start(root, images):
    command = [sys.executable, "-c", WRITER, str(root), str(images)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_is_written_is_what_was_drawn(tmp_path, few):
    few(12)
    observed = []
    folder = write_split("val", tmp_path, lambda done, total: observed.append((done, total)))
    assert folder == tmp_path / f"shapes-v{VERSION}" / "val"
    assert observed == [(done, 12) for done in range(1, 13)]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["val", "val.lock"]
    instances = json.loads((folder / "instances.json").read_text())
    packed = (folder / "refs(drawn).p").read_bytes()
    refs = pickle.loads(packed)
    assert {code.name for code, _, _ in pickletools.genops(packed)}.isdisjoint({"GLOBAL", "REDUCE", "STACK_GLOBAL"})
    assert packed[:2] == b"\x80\x02"
    annotations = {one["id"]: one for one in instances["annotations"]}
    for number, image in enumerate(instances["images"]):
        scene = draw_scene(SPLITS["val"].seeds + number)
        assert np.array_equal(np.asarray(Image.open(folder / "images" / image["file_name"])), scene.image)
        assert (image["height"], image["width"]) == scene.image.shape[:2]
        assert image["captions"] == list(scene.captions)
        assert [annotations[one["id"]] for one in annotation_entries(scene)] == annotation_entries(scene)
    for ref in refs:
        assert annotations[ref["ann_id"]]["image_id"] == ref["image_id"]
        assert annotations[ref["ann_id"]]["category_id"] == ref["category_id"]
        assert ref["sent_ids"] == [sentence["sent_id"] for sentence in ref["sentences"]]
        assert ref["split"] == "val"
        assert all(sentence["tokens"] == sentence["sent"].split() for sentence in ref["sentences"])
    ids = [sentence["sent_id"] for ref in refs for sentence in ref["sentences"]]
    assert len({*ids}) == len(ids)
    assert len({ref["ref_id"] for ref in refs}) == len(refs)


def test_the_seeds_of_the_splits_do_not_meet():
    used = [range(split.seeds, split.seeds + split.images) for split in SPLITS.values()]
    assert sum(map(len, used)) == len({seed for seeds in used for seed in seeds})


def test_the_number_of_workers_changes_nothing(tmp_path, few, monkeypatch):
    few(12)
    monkeypatch.setattr(write, "processors", lambda: 3)
    monkeypatch.setattr(write, "_WORTH_A_WORKER", 4)
    many = contents(write_split("val", tmp_path / "many"))
    monkeypatch.setattr(write, "_MOST_WORKERS", 1)
    assert contents(write_split("val", tmp_path / "one")) == many


def test_two_writers_at_once_make_one_folder(tmp_path):
    writers = [start(tmp_path, 20) for _ in range(2)]
    result = [writer.communicate(timeout=GUARD) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], result
    folder = tmp_path / f"shapes-v{VERSION}" / "val"
    assert [out.strip() for out, _ in result] == [str(folder)] * 2
    assert len(list((folder / "images").iterdir())) == 20
    assert sorted(path.name for path in folder.parent.iterdir()) == ["val", "val.lock"]


def test_a_killed_writer_leaves_nothing_in_place(tmp_path, few):
    writer = start(tmp_path, 8000)  # minutes of work, so that it is killed in the midst of it
    home = tmp_path / f"shapes-v{VERSION}"
    wait_until(lambda: len(list(home.glob(".val-unfinished-*/images/*.png"))) >= 5, "five pictures are drawn", writer)
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    assert not (home / "val").exists()
    few(20)
    folder = write_split("val", tmp_path)
    assert len(list((folder / "images").iterdir())) == 20
    # A worker of the killed writer may still put its last picture into the old draft.
    assert sorted(path.name for path in home.glob("[!.]*")) == ["val", "val.lock"]


def test_an_interruption_stops_the_work_and_clears_up(tmp_path, few):
    few(400)

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_split("val", tmp_path, interrupt)
    assert [path.name for path in (tmp_path / f"shapes-v{VERSION}").iterdir()] == ["val.lock"]


def test_a_folder_that_is_there_is_not_drawn_again(tmp_path, few):
    few(2)
    folder = write_split("val", tmp_path)
    before = folder.stat().st_mtime_ns
    assert write_split("val", tmp_path, lambda done, total: pytest.fail("drawn again")) == folder
    assert folder.stat().st_mtime_ns == before
    (folder / "instances.json").unlink()
    write_split("val", tmp_path)
    assert (folder / "instances.json").exists()


def test_a_split_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="set RISBENCH_CACHE to a writable folder"):
        write_split("val", tmp_path / "file")
    with pytest.raises(UsageError, match="train, val, test"):
        write_split("dev", tmp_path)


def test_a_worker_that_fails_gives_its_reason(tmp_path, few, monkeypatch):
    few(2)
    real = write._start
    monkeypatch.setattr(write, "_start", lambda split, folder, *more: real(split, Path("/nowhere"), *more))
    with pytest.raises(DataError, match="No such file or directory"):
        write_split("val", tmp_path)
