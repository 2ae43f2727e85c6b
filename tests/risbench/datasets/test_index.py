from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import write_refer, write_referit_as_pickles, write_referit_as_refer
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets import Split, load_split
from risbench.datasets.annotations import index
from risbench.datasets.annotations.columns import Idents, Texts, Words
from risbench.errors import DataError, DataWarning
from risbench.io import hashes

REFCOCO = [f"refcoco_{part}" for part in ("train", "val", "testA", "testB")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_refer(tmp_path / "data")


def _index(split: Split) -> Path:
    return index.index_path("refer" if len(split.sources) == 2 else "referit", split.sources)


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the readers that were called."""
    called: list[str] = []

    def listening(name, reader):
        def read(*files):
            called.append(name)
            return reader(*files)

        return read

    monkeypatch.setattr(index, "_READERS", {name: listening(name, read) for name, read in index._READERS.items()})
    return called


@pytest.mark.parametrize("name", [*REFCOCO, "referit_test", "referit_test_5pct"])
def test_a_warm_split_is_the_cold_one(tmp_path: Path, name: str, parses: list[str]):
    root = write_refer(tmp_path / "data")
    write_referit_as_refer(root)
    cold = load_split(name, root)
    assert len(parses) == 1
    warm = load_split(name, root)
    assert len(parses) == 1
    assert list(warm) == list(cold)
    assert (warm.counts, warm.sources, warm.ids, warm.images) == (cold.counts, cold.sources, cold.ids, cold.images)
    assert [warm.objects(image) for image in warm.images] == [cold.objects(image) for image in cold.images]


def test_all_splits_of_one_file_share_an_index(root: Path, parses: list[str]):
    for name in REFCOCO:
        load_split(name, root)
    assert parses == ["refer"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flip", "foreign", "older", "text"])
def test_a_damaged_index_is_made_anew(root: Path, damage: str, parses: list[str]):
    cold = load_split("refcoco_val", root)
    kept = _index(cold)
    content = bytearray(kept.read_bytes())
    if damage == "foreign":
        np.savez(kept, version=np.array([index.VERSION]), x=np.zeros(3))
    elif damage == "older":
        with np.load(kept) as stored:
            flat = dict(stored)
        np.savez(kept, **{**flat, "version": np.array([index.VERSION - 1])})
    else:
        at = content.index("café".encode())
        content[at] ^= 1
        damaged = {"empty": b"", "cut": content[: len(content) // 2], "flip": content, "text": b"not an index at all"}
        kept.write_bytes(damaged[damage])
    assert list(load_split("refcoco_val", root)) == list(cold)
    assert len(parses) == 2
    load_split("refcoco_val", root)
    assert len(parses) == 2


def test_an_index_that_points_outside_itself_is_made_anew(root: Path, parses: list[str]):
    cold = load_split("refcoco_val", root)
    with np.load(_index(cold)) as stored:
        flat = dict(stored)
    for name, change in [("ref_ann", 99), ("ann_image", -1), ("ref_sentences", 0)]:
        broken = flat[name].copy()
        broken[-1] = change
        np.savez(_index(cold), **{**flat, name: broken})
        assert list(load_split("refcoco_val", root)) == list(cold)
    assert len(parses) == 4


def test_another_source_is_another_index(root: Path, parses: list[str]):
    before = load_split("refcoco_val", root)
    path = root / "refer/refcoco/instances.json"
    whole = json.loads(path.read_text())
    whole["annotations"][1]["bbox"][0] = 11
    path.write_text(json.dumps(whole))
    after = load_split("refcoco_val", root)
    assert len(parses) == 2
    assert _index(after) != _index(before)
    assert after.sources[0] == before.sources[0]
    assert after.sources[1].sha256 != before.sources[1].sha256
    assert after.sample("refcoco_val/103/10").box.x0 == 11


def test_sources_are_the_hashes_of_the_files(root: Path):
    import hashlib

    for path, sha256 in load_split("refcoco_val", root).sources:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def test_the_hash_of_an_unchanged_file_is_remembered_and_of_a_changed_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    monkeypatch.setattr(hashes, "_GRAIN_NS", -1)
    first = hashes.sha256_of(path)
    calls = []
    digest = hashes.hashlib.file_digest
    monkeypatch.setattr(hashes.hashlib, "file_digest", lambda *given: calls.append(1) or digest(*given))
    assert hashes.sha256_of(path) == first
    assert not calls
    stat = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hashes.sha256_of(path) != first


def test_the_hash_of_a_young_file_is_not_kept(tmp_path: Path, cache: Path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    hashes.sha256_of(path)
    assert not (cache / "hashes").exists()


@pytest.mark.parametrize("note", [b"", b"{}", b"[]", b"\xff", b'{"path": "x", "state": [], "sha256": 5}'])
def test_a_broken_note_of_a_hash_is_passed_over(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, note: bytes
):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    monkeypatch.setattr(hashes, "_GRAIN_NS", -1)
    first = hashes.sha256_of(path)
    (kept,) = (cache / "hashes").iterdir()
    kept.write_bytes(note)
    assert hashes.sha256_of(path) == first


def test_without_a_cache_the_split_is_read_with_a_warning(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = list(load_split("refcoco_val", root))
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path / "a file" / "cache"))
    with pytest.warns(DataWarning, match="the index cannot be written"):
        assert list(load_split("refcoco_val", root)) == wanted


def test_nothing_is_left_beside_an_index(root: Path, cache: Path):
    load_split("refcoco_val", root)
    assert [path.suffix for path in cache.rglob("*") if path.is_file()] == [".npz"]


def test_a_source_that_changes_while_it_is_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch):
    path = root / "refer/refcoco/instances.json"
    read = index._READERS["refer"]

    def meddling(*files):
        table = read(*files)
        path.write_text(path.read_text() + " ")
        return table

    monkeypatch.setitem(index._READERS, "refer", meddling)
    with pytest.raises(DataError, match="changed while they were read"):
        load_split("refcoco_val", root)


@given(st.lists(st.text()))
def test_texts_of_any_letters_come_back(texts: list[str]):
    column = Texts.pack([*texts, "\ud800 alone"])
    assert [column[row] for row in range(len(column))] == [*texts, "\ud800 alone"]


@given(st.lists(st.integers() | st.text()))
def test_ids_come_back_with_their_type(idents: list):
    column = Idents.from_arrays(Idents.pack(idents).arrays())
    assert column.listed() == idents
    assert [type(column[row]) for row in range(len(column))] == list(map(type, idents))


@given(st.lists(st.none() | st.sampled_from(["train", "val", "", "é"])))
def test_words_come_back(words: list):
    column = Words.from_arrays(Words.pack(words).arrays())
    assert [column[row] for row in range(len(column))] == words


@given(
    texts=st.lists(st.text(), min_size=1, max_size=5),
    ids=st.lists(st.integers(0, 10**20) | st.text(), min_size=5, max_size=5, unique_by=str),
)
def test_an_index_gives_back_any_text_and_id(tmp_path_factory: pytest.TempPathFactory, texts, ids):  # fmt: skip
    from helpers.annotations import ref, refer_content, sentence

    base = tmp_path_factory.mktemp("any")
    instances, _ = refer_content()
    sentences = [sentence(ident, text) for ident, text in zip(ids, texts, strict=False)]
    root = write_refer(base, instances, [ref(1, 11, 1, "val", sentences)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISBENCH_CACHE", str(base / "cache"))
        cold, warm = (list(load_split("refcoco_val", root)) for _ in range(2))
    assert cold == warm
    assert [(sample.sent_id, sample.text) for sample in warm] == list(zip(ids, texts, strict=False))


def test_reading_a_data_set_imports_neither_torch_nor_pandas(root: Path):
    import subprocess

    code = (
        "import sys; from risbench.datasets import load_split\n"
        f"s = load_split('refcoco_val', {str(root)!r}); s[0]\n"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'scipy', 'PIL') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(index.__file__).parents[3])}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.strip() == "[]"


def test_pickles_are_indexed_too(tmp_path: Path, parses: list[str]):
    root = write_referit_as_pickles(tmp_path)
    assert list(load_split("referit_test", root)) == list(load_split("referit_test", root))
    assert parses == ["referit"]
