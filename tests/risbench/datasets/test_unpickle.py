from __future__ import annotations

import builtins
import contextlib
import datetime
import os
import pickle
import pickletools
import time
import tracemalloc
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets.annotations import bounded
from risbench.datasets.annotations.unpickle import read_pickle
from risbench.errors import DataError

_KEYS = st.text() | st.integers(-(2**63), 2**63 - 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(_KEYS, inner),
    max_leaves=20,
)


def _read(path: Path, content: bytes):
    path.write_bytes(content)
    return read_pickle(path)


@given(value=PLAIN, protocol=st.integers(0, 5))
def test_plain_values_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, value, protocol: int):
    path = tmp_path_factory.getbasetemp() / "plain.p"
    assert _read(path, pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
def test_sets_and_ordered_dicts_are_plain(tmp_path: Path, protocol: int):
    value = [{1, 2}, frozenset("a"), OrderedDict([("b", 1), ("a", 2)])]
    found = _read(tmp_path / "p", pickle.dumps(value, protocol=protocol))
    assert found == value
    assert list(found[2]) == ["b", "a"]


def test_a_python_2_str_is_read_as_latin1_and_unicode_as_utf8(tmp_path: Path):
    # What cPickle of Python 2 writes for {'sent': 'caf\xe9', 'raw': u'caf\u20ac', 'n': 7}, protocol 2.
    content = (
        b"\x80\x02}q\x01(U\x04sentq\x02U\x04caf\xe9q\x03U\x03rawq\x04X\x06\x00\x00\x00caf\xe2\x82\xacq\x05U\x01nK\x07u."
    )
    assert _read(tmp_path / "p", content) == {"sent": "caf\xe9", "raw": "caf\u20ac", "n": 7}


def test_a_python_2_pickle_of_protocol_0_is_read(tmp_path: Path):
    content = b"(lp1\n(dp2\nS'ref_id'\np3\nI5\nsS'ann_id'\np4\nL77L\nsS'x'\nF0.5\nsa."
    assert _read(tmp_path / "p", content) == [{"ref_id": 5, "ann_id": 77, "x": 0.5}]


@pytest.mark.parametrize("protocol", range(6))
def test_numbers_of_numpy_become_plain_numbers(tmp_path: Path, protocol: int):
    value = {
        "n": np.int64(7),
        "x": np.float32(0.5),
        "yes": np.bool_(True),
        "a": np.arange(6, dtype=">i2").reshape(2, 3),
    }
    value["f"] = np.asfortranarray(np.arange(4.0).reshape(2, 2))
    if protocol == 5:  # asks for more of numpy than it needs
        with pytest.raises(DataError, match="_frombuffer"):
            _read(tmp_path / "p", pickle.dumps(value, protocol=protocol))
        del value["a"], value["f"]
    found = _read(tmp_path / "p", pickle.dumps(value, protocol=protocol))
    assert {key: type(found[key]) for key in ("n", "x", "yes")} == {"n": int, "x": float, "yes": bool}
    assert found["n"] == 7
    if protocol < 5:
        assert found["a"] == [[0, 1, 2], [3, 4, 5]]
        assert found["f"] == [[0, 1], [2, 3]]


class _Calls:
    def __init__(self, function, *given):
        self.call = (function, given)

    def __reduce__(self):
        return self.call


def _evil(mark: Path):
    return [
        _Calls(os.system, f"touch '{mark}'"),
        _Calls(builtins.eval, f"open({str(mark)!r}, 'w')"),
        _Calls(builtins.exec, f"open({str(mark)!r}, 'w')"),
        _Calls(builtins.open, str(mark), "w"),
        _Calls(getattr, "x", "upper"),
        _Calls(np.load, str(mark)),
        Path("/x"),
        datetime.date(2020, 1, 1),
        complex(1, 2),
        bytearray(b"x"),
        np.array([_Calls(os.system, f"touch '{mark}'")], dtype=object),
        np.array(["x"], dtype=object),
        np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]),
        np.array(["text"]),
        np.datetime64("2020-01-01"),
    ]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", range(len(_evil(Path("mark")))))
def test_a_pickle_that_asks_for_more_is_refused_and_nothing_runs(tmp_path: Path, kind: int, protocol: int):
    mark = tmp_path / "mark"
    evil = _evil(mark)[kind]
    if protocol == 5 and isinstance(evil, bytearray):
        pytest.skip("protocol 5 has an opcode for bytearrays, which calls nothing")
    content = pickle.dumps([{"ref_id": 1}, evil], protocol=protocol)
    with pytest.raises(DataError) as caught:
        _read(tmp_path / "refs.p", content)
    assert not mark.exists()
    assert str(caught.value).startswith(str(tmp_path / "refs.p"))
    assert "\n" not in str(caught.value)


def test_a_refusal_names_what_was_asked_for(tmp_path: Path):
    with pytest.raises(DataError, match=r"refs\.p: refused, the pickle asks for os\.system"):
        _read(tmp_path / "refs.p", b"cos\nsystem\n(S'true'\ntR.")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8c\x08builtins\x8c\x04set\x93}(\x8c\x01ax0\x00\x00\x00b.",
        b"cnumpy\nndarray\n(I1000000\ntR.",  # calls the class that an array only names
        b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I9\ntcnumpy\ndtype\n(S'i8'\ntRI00\nS'short'\ntb.",
        b"cnumpy\ndtype\n(S'O8'\ntR.",
        b"\x80\x02ccopyreg\n_reconstructor\n.",
        b"\x80\x02c__builtin__\ngetattr\n.",
        b"\x80\x04\x8c\x0fcollections.abc\x8c\x08Callable\x93.",
        b"\x80\x04\x8c\x0bcollections\x8c\x12OrderedDict.update\x93.",
        b"P7\n.",  # a persistent id
        b"\x82\x01.",  # an extension code
    ],
)
def test_crafted_opcodes_are_refused(tmp_path: Path, content: bytes):
    with pytest.raises(DataError):
        _read(tmp_path / "p", content)


def test_what_one_file_sets_on_a_name_does_not_reach_the_next(tmp_path: Path):
    # GLOBAL _codecs.encode, then BUILD with a dict: sets attributes on what the name stands for.
    poison = b"\x80\x02c_codecs\nencode\n}U\x08__name__U\x03badsb."
    with pytest.raises(DataError):
        _read(tmp_path / "p", poison[:-2] + b"N}U\x08__code__K\x01s\x86b.")
    assert _read(tmp_path / "p", pickle.dumps(b"\xff", protocol=2)) == b"\xff"


@given(cut=st.integers(0, 60), junk=st.binary(max_size=40))
def test_a_truncated_or_foreign_file_is_one_line(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes):
    whole = pickle.dumps([{"ref_id": 1, "sentences": ["a", 2, None]}], protocol=2)
    path = tmp_path_factory.getbasetemp() / "cut.p"
    for content in (whole[: min(cut, len(whole) - 1)], junk):
        path.write_bytes(content)
        message = str(path)
        with contextlib.suppress(DataError):  # a few bytes of junk may be a pickle
            try:
                read_pickle(path)
            except DataError as error:
                message = str(error)
                raise
        assert "\n" not in message
        assert str(path) in message


@pytest.mark.parametrize("length", [10**18, 1 << 62])
def test_a_promise_of_enormous_text_takes_no_memory(tmp_path: Path, length: int):
    for opcode in (b"\x8e", b"\x8d"):
        with pytest.raises(DataError):
            _read(tmp_path / "p", b"\x80\x04" + opcode + length.to_bytes(8, "little") + b"x.")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent\.p: cannot be read"):
        read_pickle(tmp_path / "absent.p")


def _laugh(levels: int) -> bytes:
    """``x = []``, then ``x = [x, x]`` again and again: short, and endless when it is written out."""
    return b"\x80\x02]" + b"".join(
        b"q" + bytes([n]) + b"]h" + bytes([n]) + b"ah" + bytes([n]) + b"a" for n in range(levels)
    )


_GREEDY = {
    "a far place in the memo": b"\x80\x02]r\xff\xff\xff\x7f.",
    "a far place in the memo, as text": b"]p2000000000\n.",
    "a long bytearray": b"\x80\x05\x96" + (1 << 33).to_bytes(8, "little") + b"x.",
    "a frame of gigabytes": b"\x80\x04\x95" + (1 << 40).to_bytes(8, "little") + b"].",
    "a list in a list, doubled and doubled": _laugh(60) + b".",
    "a key that hashes for years": b"\x80\x02)q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"}h\x00Ns.",
    "the same text encoded again and again": b"\x80\x02("
    + b"c_codecs\nencode\nq\x00X\x00\x00\x10\x00"
    + b"x" * (1 << 20)
    + b"q\x01\x85q\x02"
    + b"h\x00h\x02R" * 200
    + b"t.",
    "the same list in every place": b"\x80\x02(" + b"]q\x00(" + b"K\x01" * 60000 + b"e" + b"h\x00" * 60000 + b"l.",
    "an array of nothing, a billion times": b"cnumpy.core.multiarray\n_reconstruct\n(tR(I1\n(I1000000000\nI0\nt"
    b"cnumpy\ndtype\n(S'i8'\ntRI00\nS''\ntb.",
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
}


@pytest.mark.parametrize("kind", _GREEDY)
def test_a_short_pickle_that_asks_for_much_takes_little(tmp_path: Path, kind: str):
    tracemalloc.start()
    try:
        start = time.process_time()
        if kind.startswith("a far place") or "frame" in kind:  # harmless, once nothing believes the number
            assert _read(tmp_path / "p", _GREEDY[kind]) == []
        else:
            with pytest.raises(DataError):
                _read(tmp_path / "p", _GREEDY[kind])
        # Processor time, which other work on the machine does not add to; what is greedy would take years.
        assert time.process_time() - start < 60
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_what_a_file_shares_a_little_is_read(tmp_path: Path):
    box = [1, 2, 3, 4]
    value = [{"ref_id": number, "bbox": box} for number in range(5000)]
    assert _read(tmp_path / "p", pickle.dumps(value, protocol=2)) == value


def test_only_plain_values_come_out(tmp_path: Path):
    for content in (b"c_codecs\nencode\n.", b"(lcnumpy\ndtype\n(S'i8'\ntRa."):
        with pytest.raises(DataError, match="not a plain value"):
            _read(tmp_path / "p", content)


_HARMLESS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(10**17), 10**17), inner),
    max_leaves=20,
)


def _slowly(raw: bytes):
    """The value as the slower version reads it, or the kind of its error."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(bounded, "is_harmless", lambda raw: False)
        try:
            return bounded.BoundedUnpickler(raw, encoding="latin1").load()
        except Exception as error:
            return type(error)


@given(value=_HARMLESS, protocol=st.integers(0, 5))
def test_plain_annotations_are_read_by_the_fast_version(value, protocol: int):
    raw = pickle.dumps(value, protocol=protocol)
    assert bounded.is_harmless(raw)
    assert repr(bounded.BoundedUnpickler(raw, encoding="latin1").load()) == repr(value) == repr(_slowly(raw))


@given(value=PLAIN, protocol=st.integers(0, 5), data=st.data())
def test_what_the_fast_version_reads_of_a_damaged_pickle_the_slower_one_reads_too(value, protocol: int, data):
    raw = bytearray(pickle.dumps(value, protocol=protocol))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + 1] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"(", b"l", b"s", b"u", b"h", b"q", b"e"])
        )
        raw = raw or bytearray(b".")
    if bounded.is_harmless(bytes(raw)):
        wanted = _slowly(bytes(raw))
        try:
            found = bounded.BoundedUnpickler(bytes(raw), encoding="latin1").load()
        except Exception as error:
            found = type(error)
        assert repr(found) == repr(wanted)


@pytest.mark.parametrize("length", [255, 256, 70_000, 200_000])
@pytest.mark.parametrize("protocol", range(6))
def test_long_texts_and_many_values_are_harmless(length: int, protocol: int):
    value = [{"sent": "x" * length, "n": number} for number in range(3)] + [str(number) for number in range(70_000)]
    raw = pickle.dumps(value, protocol=protocol)
    assert bounded.is_harmless(raw)
    assert bounded.BoundedUnpickler(raw, encoding="latin1").load() == value


@pytest.mark.parametrize(
    "raw",
    [
        b"cos\nsystem\n(S'true'\ntR.", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"i__main__\nX\n.", b"\x82\x01.",
        b"P7\n.", b"\x80\x02N\x86.", b"\x80\x02)N\x87.", b"N}b.", b"\x80\x05\x96\x08" + b"\0" * 7 + b"12345678.",
        b"\x80\x02]r\xff\xff\xff\x7f.", b"]p2000000000\n.", b"\x80\x02\x8a\x09123456789.", b"I12345678901234567890\n.",
        b"N", b"", b"N..", b"\x80\x02X\xff\xff\xff\xffx.", b"\x80\x04\x95\xff\0\0\0\0\0\0\0N.", b"\x80\x7fN.",
    ],
)  # fmt: skip
def test_whatever_names_calls_or_reaches_far_is_not_harmless(raw: bytes):
    assert not bounded.is_harmless(raw)


def test_every_opcode_that_is_not_a_plain_value_is_not_harmless():
    allowed = {
        "BINFLOAT BINGET BININT BININT1 BININT2 BINPUT BINSTRING BINUNICODE DICT EMPTY_DICT EMPTY_LIST FLOAT FRAME GET",
        "INT LIST LONG LONG1 LONG_BINGET LONG_BINPUT MARK MEMOIZE NEWFALSE NEWTRUE NONE PUT SETITEM SETITEMS",
        "SHORT_BINSTRING SHORT_BINUNICODE STRING UNICODE APPEND APPENDS",
    }
    arguments = (b"", b"1\n", b"'x'\n", *(b"\0" * n for n in range(1, 10)))
    found = {
        code.name
        for code in pickletools.opcodes
        if code.name not in ("STOP", "PROTO")
        and any(bounded.is_harmless(code.code.encode("latin1") + rest + b".") for rest in arguments)
    }
    assert found == set(" ".join(allowed).split())
