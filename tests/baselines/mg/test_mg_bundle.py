"""TensorFlow checkpoints without TensorFlow: every type, shards, slices, and files that are broken or mean harm."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import BundleWriter, checksum, signed, table, tag, varint

import baselines.mg
from baselines.mg.crc32c import crc32c, masked
from baselines.mg.entries import slice_key
from risbench import DataError

DRAW = np.random.default_rng(0)
ARRAYS = {
    "float32": DRAW.standard_normal((3, 2, 5)).astype(np.float32),
    "float64": DRAW.standard_normal((2, 7)),
    "int32": DRAW.integers(-9, 9, (4,), dtype=np.int32),
    "uint8": DRAW.integers(0, 255, (300, 11), dtype=np.uint8),
    "int64": DRAW.integers(-(2**60), 2**60, (), dtype=np.int64),
    "bool": np.array([[True, False], [False, True]]),
    "float16": DRAW.standard_normal((6, 1)).astype(np.float16),
}
LARGE = DRAW.standard_normal((300, 3)).astype(np.float32)


def writer(shards: int = 3) -> BundleWriter:
    made = BundleWriter(shards)
    for name, value in ARRAYS.items():
        made.array(f"a/{name}", value)
    made.array("a/bfloat16", np.array([1.5, -2.0, 3.140625], np.float32), "bfloat16")
    made.array("empty", np.zeros((0, 4), np.float32))
    made.strings("a/string", [b"one", b"", b"three" * 99])
    made.partitioned("cut", LARGE, [60, 129])
    return made


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return writer().save(tmp_path_factory.mktemp("bundle") / "model.ckpt-7")


def test_every_type_is_read_from_three_shards_and_slices_are_joined(bundle: Path):
    found = baselines.mg.read_bundle(bundle)
    assert set(found) == {*(f"a/{name}" for name in ARRAYS), "a/bfloat16", "cut", "empty"}  # strings are left out
    for name, value in ARRAYS.items():
        assert found[f"a/{name}"].dtype == value.dtype
        np.testing.assert_array_equal(found[f"a/{name}"], value)
    np.testing.assert_array_equal(found["cut"], LARGE)
    assert found["a/bfloat16"].dtype == np.float32
    assert found["a/bfloat16"].tolist() == [1.5, -2.0, 3.140625]
    assert found["empty"].shape == (0, 4)
    found["cut"][0] = 0  # it may be written to


def test_a_checkpoint_is_named_by_its_prefix_one_of_its_files_or_its_folder(bundle: Path):
    ways = (f"{bundle}.index", f"{bundle}.data-00001-of-00003", bundle.parent, str(bundle))
    for way in ways:
        assert len(baselines.mg.read_bundle(way)) == 10


def test_the_checksum_is_crc_32c():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    for length in (0, 1, 3, 4, 5, 1000, (1 << 18) + 3):
        data = DRAW.integers(0, 256, length, dtype=np.uint8)
        assert masked(crc32c(data)) == checksum(data.tobytes())


def test_keys_of_slices_are_in_the_order_preserving_code():
    assert (
        slice_key(b"a\x00\xff", ((0, -1), (5, 64))).hex() == "00" + "6100ffff00" + "0001" + "0102" + "807f" + "85c040"
    )
    assert slice_key(b"", ((100, 8191),))[-4:] == signed(100) + bytes([0xDF, 0xFF])
    assert slice_key(b"", ((8192, 0),))[5:-1].hex() == "e02000"


def refused(prefix: Path, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        baselines.mg.read_bundle(prefix)
    assert "\n" not in str(caught.value)


def test_absent_and_old_checkpoints_are_named(tmp_path: Path):
    refused(tmp_path / "no", r"there is no checkpoint .*no.index")
    refused(tmp_path, r"a folder with 0 checkpoints")
    (tmp_path / "vgg_16.ckpt").write_bytes(table({b"": tag(1, 1), b"x": b"y"}))
    refused(tmp_path / "vgg_16.ckpt", r"of the first format \(V1, one file\).*write_version=")
    (tmp_path / "text.index").write_text("nothing of the kind")
    refused(tmp_path / "text", "its end is another")
    BundleWriter().save(tmp_path / "big", tag(1, 1) + tag(2, 1))
    refused(tmp_path / "big", "big-endian")
    BundleWriter().save(tmp_path / "packed", kind=1)
    refused(tmp_path / "packed", r"compressed blocks \(kind 1\)")
    (tmp_path / "headless.index").write_bytes(table({b"x": b""}))
    refused(tmp_path / "headless", "no header")


def test_truncated_and_changed_files_are_named(tmp_path: Path):
    prefix = writer(1).save(tmp_path / "x")
    index, data = Path(f"{prefix}.index"), Path(f"{prefix}.data-00000-of-00001")
    whole, raw = index.read_bytes(), data.read_bytes()
    broken: list[str] = []
    for length in range(0, len(whole), 37):
        index.write_bytes(whole[:length])
        refused(prefix, "index of a TensorFlow checkpoint")
    for place in range(0, len(whole) - 8, 11):
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            baselines.mg.read_bundle(prefix)  # what is changed may be read by nobody: the block of metadata
        except DataError as error:
            broken.append(str(error))
    assert len(broken) > 10
    assert all("\n" not in line for line in broken)
    index.write_bytes(whole)
    data.write_bytes(raw[:-1])
    refused(prefix, "its variables take .* bytes, and its shards have|beyond the end of")
    data.write_bytes(raw[:99] + bytes([raw[99] ^ 1]) + raw[100:])
    refused(prefix, r"the variable .* is broken: its checksum is another")
    data.unlink()
    refused(prefix, "its shards have 0")


def entry(kind: int, shape: list[int], offset: int, size: int, crc: int = 0) -> bytes:
    dims = tag(2, b"".join(tag(2, tag(1, one)) for one in shape))
    return tag(1, kind) + dims + tag(4, offset) + tag(5, size) + varint(53) + struct.pack("<I", crc)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (entry(1, [1 << 38], 0, 1 << 40), "take 1,099,511,627,776 bytes, and its shards have 8"),
        (entry(1, [1 << 39, 1 << 39, 0], 0, 0), "impossible shape"),
        (entry(1, [2] * 40, 0, 8), "has 40 dimensions"),
        (entry(1, [3], 0, 8), "do not fit its shape"),
        (entry(1, [-1], 0, 8), "out of range"),
        (entry(1, [2], 4, 8), "beyond the end"),
        (entry(77, [2], 0, 8), "TensorFlow's type 77"),
        (entry(1, [2], 0, 8) + tag(3, 5), "lies in shard 5, but there are 1"),
        (entry(1, [2], 0, 8, 1), "checksum"),
        (tag(7, tag(1, tag(2, 5))) + entry(1, [9], 0, 0), "a slice of .* is missing"),
        (tag(2, 5), "a record in it is a number"),
        (b"\x0c", "unknown kind 4"),
        (b"\x08" + b"\xff" * 12, "does not end"),
        (b"\x12\x7f", "there are fewer"),
    ],
)
def test_entries_that_claim_what_is_not_there_are_refused_at_once(tmp_path: Path, value: bytes, words: str):
    writing = BundleWriter()
    writing.data = [b"12345678"]
    writing.entries = {b"x": value}
    prefix = writing.save(tmp_path / "x")
    tracemalloc.start()
    start = time.perf_counter()
    refused(prefix, words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 2
    assert peak < 20e6


def test_slices_that_overlap_or_leave_gaps_are_refused(tmp_path: Path):
    value = np.arange(12, dtype=np.float32).reshape(6, 2)
    for name, moved, size in (("gap", 2, 3), ("overlap", 1, 4), ("beyond", 3, 4)):
        writing = BundleWriter()
        writing.partitioned("v", value, [2])
        key = b"\x00v\x00\x01\x01\x02" + signed(2) + signed(4) + bytes([0x80, 0x7F])
        new = b"\x00v\x00\x01\x01\x02" + signed(moved) + signed(size) + bytes([0x80, 0x7F])
        del writing.entries[key]
        writing.put(new, 1, (size, 2), value[:size].tobytes())
        extents = [tag(1, tag(2, 2)) + tag(1, b""), tag(1, tag(1, moved) + tag(2, size)) + tag(1, b"")]
        shape = tag(2, tag(2, tag(1, 6)) + tag(2, tag(1, 2)))
        writing.entries[b"v"] = tag(1, 1) + shape + b"".join(tag(7, one) for one in extents)
        refused(writing.save(tmp_path / name), "do not make up its shape|does not fit")


def test_many_variables_of_the_same_bytes_cannot_fill_the_memory(tmp_path: Path):
    writing = BundleWriter()
    raw = bytes(1 << 20)
    writing.data = [raw]
    writing.entries = {b"%05d" % number: entry(4, [1 << 20], 0, 1 << 20) for number in range(2000)}
    refused(writing.save(tmp_path / "x"), "take 2,097,152,000 bytes, and its shards have 1,048,576")


def test_an_index_whose_handles_repeat_a_block_is_refused(tmp_path: Path):
    whole = bytearray(table({b"": tag(1, 1), b"a": entry(1, [0], 0, 0)}))
    block = whole[: len(whole) - 48]
    # The same handle twice in a new block of handles.
    ends = range(1, len(block))
    size = next(at for at in ends if struct.pack("<I", checksum(bytes(block[: at + 1]))) == block[at + 1 : at + 5])
    handle = varint(0) + varint(size)
    rows = varint(0) + varint(1) + varint(len(handle)) + b"b" + handle
    rows += varint(0) + varint(1) + varint(len(handle)) + b"c" + handle
    rows += struct.pack("<II", 0, 1)
    out = bytes(block[: size + 5]) + rows + b"\x00" + struct.pack("<I", checksum(rows + b"\x00"))
    out += (varint(0) + varint(0) + varint(size + 5) + varint(len(rows))).ljust(40, b"\x00") + bytes(whole[-8:])
    (tmp_path / "x.index").write_bytes(out)
    refused(tmp_path / "x", "not in order")


def test_six_hundred_megabytes_would_take_seconds():
    data = np.zeros(1 << 23, np.uint8)
    crc32c(data)
    start = time.perf_counter()
    crc32c(data)
    assert time.perf_counter() - start < 2
