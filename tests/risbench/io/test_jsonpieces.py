from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.io import jsonpieces
from risbench.io.jsonpieces import NotInPiecesError, read_in_pieces

KEYS = ("images", "annotations")
NUMBERS = st.integers(-(10**25), 10**25) | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**18, 1e22, -0.0])
# Texts with what a careless cut would take for the end of an object.
TEXTS = st.text() | st.sampled_from(["}, {", '"}, {"', "]}", "\\", '\\"', "é☕", "\ud800", "\0"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["id", "bbox", "segmentation", "x"]), VALUES, max_size=4)
ARRAYS = st.lists(OBJECTS, max_size=12) | st.lists(VALUES, max_size=6)
FORMS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), (" \r\n, ", "\t:\n ")]),
        "ensure_ascii": st.booleans(),
    }
)


# What parses a piece: orjson where it is installed, and the standard library.
PARSERS = {"standard library": None} | ({"orjson": jsonpieces._fast_loads} if jsonpieces._fast_loads else {})


def _in_pieces(path: Path, piece: int = 1 << 19, **parser: Any) -> dict[str, Any]:
    """The whole object, put together again."""
    found: dict[str, list[Any]] = {key: [] for key in KEYS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonpieces, "PIECE_BYTES", piece)
        for name, loads in parser.items():
            patch.setattr(jsonpieces, name, loads)
        return {**read_in_pieces(path, {key: found[key].extend for key in KEYS}), **found}


def _same(a: Any, b: Any) -> bool:
    """Equal with types, the signs of zeros, the order of keys, and NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    return a == b


@pytest.fixture(params=["orjson", "standard library"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "standard library":
        monkeypatch.setattr(jsonpieces, "_fast_loads", None)
    else:
        pytest.importorskip("orjson")


@given(
    arrays=st.tuples(ARRAYS, ARRAYS),
    rest=st.dictionaries(TEXTS.filter(lambda key: key not in KEYS), VALUES, max_size=3),
    order=st.randoms(use_true_random=False),
    form=FORMS,
    bom=st.booleans(),
    piece=st.integers(3, 90) | st.just(1 << 19),
)
def test_the_pieces_are_what_json_reads_whole(
    tmp_path_factory: pytest.TempPathFactory, arrays, rest, order, form, bom, piece
):
    members = [*zip(KEYS, arrays, strict=True), *rest.items()]
    order.shuffle(members)
    text = json.dumps(dict(members), **form)
    path = tmp_path_factory.getbasetemp() / "pieces.json"
    try:
        path.write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    except UnicodeEncodeError:  # a lone surrogate that is not escaped
        path.write_text(json.dumps(dict(members)), encoding="utf-8")
    wanted = json.loads(path.read_text(encoding="utf-8-sig"))
    for name, loads in PARSERS.items():
        found = _in_pieces(path, piece, _fast_loads=loads)
        assert found.keys() == wanted.keys(), name
        assert all(_same(found[key], wanted[key]) for key in wanted), name


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**25, -(2**63), -(2**63) - 1, -(10**19)])
@pytest.mark.usefixtures("parser")
def test_a_whole_number_stays_whole_however_many_bits_it_needs(tmp_path: Path, number: int):
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"images": [{"id": number}, {"id": 1}], "annotations": [], "info": [number]}))
    found = _in_pieces(path)
    assert found == {"images": [{"id": number}, {"id": 1}], "annotations": [], "info": [number]}
    assert type(found["images"][0]["id"]) is int


@given(
    whole=st.fixed_dictionaries({"images": ARRAYS, "annotations": ARRAYS, "info": VALUES}),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(max_size=2) | st.sampled_from(
            [b",", b"]", b"}", b"{", b"[", b'"', b"1", b".", b"e", b"-", b"0", b"\\", b"NaN", b"\xff", b" "])),
        min_size=1, max_size=3,
    ),
    piece=st.integers(3, 90),
)  # fmt: skip
def test_what_is_read_of_a_damaged_file_is_what_json_reads(
    tmp_path_factory: pytest.TempPathFactory, whole, changes, piece
):
    raw = bytearray(json.dumps(whole).encode())
    for place, length, new in changes:
        at = int(place * len(raw))
        raw[at : at + length] = new
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(bytes(raw))
    for name, loads in PARSERS.items():
        try:
            found = _in_pieces(path, piece, _fast_loads=loads)
        except NotInPiecesError:
            continue  # who reads it whole says what is wrong, or that nothing is
        wanted = json.loads(bytes(raw).decode("utf-8-sig"))
        assert found.keys() == wanted.keys(), name
        assert all(_same(found[key], wanted[key]) for key in wanted), name


@pytest.mark.parametrize("content", [
    b"", b"[]", b"{}", b"1", b'{"images": [], "annotations": []', b'{"images": [], "annotations": []} x',
    b'{"images": [], "annotations": [],}', b'{"images": [1,], "annotations": []}',
    b'{"images": [,], "annotations": []}',
    b'{"images": [1 2], "annotations": []}', b'{"images": [{}, {} {}], "annotations": []}', b'{"images": []}',
    b'{"images": [], "annotations": [], "images": []}', b'{"images": {}, "annotations": []}',
    b'{"images": [], "annotations": [{"a": "\xff"}, {}]}', b'{"images": [], "annotations": []}\xff',
    b'{"images": [], "annotations": [{}, {}', b'{"images": [], "annotations": [{"a": [01]}, {}]}',
    b"{'images': [], 'annotations': []}", b'{"images": [] "annotations": []}', b'{"images" [], "annotations": []}',
    b'\xff\xfe{\0}\0', b'\xef\xbb\xbf\xef\xbb\xbf{"images": [], "annotations": []}',
    b'{"images": [], "annotations": [], "info": ' + b"[" * 100_000,
    b'{"images": [], "annotations": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
])  # fmt: skip
@pytest.mark.parametrize("piece", [3, 7, 1 << 19])
@pytest.mark.usefixtures("parser")
def test_broken_and_unusual_files_are_left_to_who_reads_them_whole(tmp_path: Path, content: bytes, piece: int):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(NotInPiecesError):
        _in_pieces(path, piece)


@pytest.mark.usefixtures("parser")
def test_a_long_array_comes_in_pieces_that_are_cut_between_its_objects(tmp_path: Path):
    rows = [{"id": n, "segmentation": [[n + 0.25] * 9], "of": [{"a": 1}, {"b": "}, {"}]} for n in range(4000)]
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"images": rows, "info": {}, "annotations": []}))
    lengths, found = [], []

    def take(rows):
        lengths.append(len(rows))
        found.extend(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonpieces, "PIECE_BYTES", 1 << 14)
        assert read_in_pieces(path, {"images": take, "annotations": take}) == {"info": {}}
    assert found == rows
    assert len(lengths) > 20
    assert max(lengths) < 200


def test_reading_in_pieces_takes_a_few_pieces_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import tracemalloc

    monkeypatch.setattr(jsonpieces, "PIECE_BYTES", 1 << 14)
    rows = [{"id": n, "segmentation": [[n + 0.25] * 50]} for n in range(10_000)]
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"images": [], "annotations": rows}))
    tracemalloc.start()
    try:
        read_in_pieces(path, {"images": len, "annotations": len})
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 8
    finally:
        tracemalloc.stop()
