from __future__ import annotations

import copy
import gc
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import write_refer
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets import load_split
from risbench.datasets.annotations import index
from risbench.datasets.annotations.stored import StoredNumbers
from risbench.errors import DataError

NUMBERS = np.random.default_rng(0).normal(size=1000)


def _stored(path: Path, member: str = "b.npy") -> StoredNumbers:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        return StoredNumbers.in_archive(file, archive, member, path)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.savez(tmp_path / "x.npz", a=np.arange(5), b=NUMBERS, c=np.arange(3.0))
    return tmp_path / "x.npz"


BOUNDS = st.none() | st.integers(-1100, 1100)


@given(first=BOUNDS, stop=BOUNDS, step=st.sampled_from([None, 1, 3, -1]))
def test_a_part_of_stored_numbers_is_that_of_the_array(tmp_path_factory: pytest.TempPathFactory, first, stop, step):
    path = tmp_path_factory.getbasetemp() / "numbers.npz"
    if not path.exists():
        np.savez(path, a=np.arange(5), b=NUMBERS)
    stored = _stored(path)
    found = stored[first:stop:step]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, NUMBERS[first:stop:step])


def test_other_indexes_and_the_whole_are_those_of_the_array(path: Path):
    stored = _stored(path)
    places = np.array([3, 999, -1, 0])
    np.testing.assert_array_equal(stored[places], NUMBERS[places])
    np.testing.assert_array_equal(np.asarray(stored), NUMBERS)
    assert (len(stored), stored[7]) == (1000, NUMBERS[7])
    np.savez(path, b=np.zeros(0))
    empty = _stored(path)
    assert (len(empty), len(empty[:]), len(np.asarray(empty))) == (0, 0, 0)


@pytest.mark.parametrize("content", [np.arange(5), np.zeros((2, 2)), np.zeros(4, np.float32), np.zeros((4, 1))])
def test_what_is_not_a_row_of_numbers_is_refused(path: Path, content: np.ndarray):
    np.savez(path, b=content)
    with pytest.raises(ValueError, match="not an uncompressed array"):
        _stored(path)
    np.savez_compressed(path, b=NUMBERS)
    with pytest.raises(ValueError, match="not an uncompressed array"):
        _stored(path)


def test_a_changed_byte_is_noticed_and_an_absent_member_too(path: Path):
    content = bytearray(path.read_bytes())
    content[content.index(NUMBERS[500].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        _stored(path)
    with pytest.raises(KeyError):
        _stored(path, "absent.npy")


def test_copies_and_other_processes_open_the_file_again(path: Path):
    stored = _stored(path)
    for again in (pickle.loads(pickle.dumps(stored)), copy.deepcopy(stored)):
        np.testing.assert_array_equal(np.asarray(again), NUMBERS)
    sent = pickle.dumps(stored)
    assert len(sent) < 1000
    other = path.with_name("other.npz")
    np.savez(other, b=NUMBERS + 1)
    other.replace(path)
    with pytest.raises(DataError, match="another file"):
        pickle.loads(sent)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read any more"):
        pickle.loads(sent)
    np.testing.assert_array_equal(np.asarray(stored), NUMBERS)  # open, so it stays


def test_a_file_that_is_cut_off_while_it_is_used_is_one_line(path: Path):
    stored = _stored(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"x\.npz: the index cannot be read any more \(it was cut off\)"):
        stored[10:20]


def test_the_file_is_closed_with_the_last_reference(path: Path):
    gc.collect()  # what other tests left open
    before = _open_files()
    stored = _stored(path)
    assert _open_files() == before + 1
    del stored
    gc.collect()
    assert _open_files() == before


def test_the_corners_of_a_warm_split_stay_in_the_index(tmp_path: Path):
    root = write_refer(tmp_path / "data")
    cold, warm = (load_split("refcoco_val", root) for _ in range(2))
    assert isinstance(warm.table.outlines.numbers, StoredNumbers)
    for name, column in cold.table.arrays().items():
        np.testing.assert_array_equal(warm.table.arrays()[name], column)
    assert list(pickle.loads(pickle.dumps(warm))) == list(cold)
    # A corner that changed on the disk is noticed at the next start.
    kept = index.index_path("refer", cold.sources)
    content = bytearray(kept.read_bytes())
    content[content.index(cold.table.outlines.numbers[:].tobytes()) + 3] ^= 1
    kept.write_bytes(content)
    assert list(load_split("refcoco_val", root)) == list(cold)
