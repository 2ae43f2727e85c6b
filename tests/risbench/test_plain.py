"""Other people's text is made safe to print."""

from __future__ import annotations

import pytest

from risbench.errors import DataError, MaskError, RisbenchError, UsageError
from risbench.plain import counted, is_right_to_left, plain


def test_nothing_invisible_is_left():
    assert plain("a\x1b[31mb\u202ec\u2066d\x00e\u200bf\n\tg") == "a[31mbcdef g"


def test_long_text_is_cut_at_the_limit():
    assert plain("x" * 500, 20) == "x" * 19 + "…"
    assert plain("x" * 20, 20) == "x" * 20


def test_directions_are_told():
    assert is_right_to_left("abc שלום")
    assert is_right_to_left("مرحبا")
    assert not is_right_to_left("abc 123")


def test_one_is_not_several():
    assert counted(1, "image") == "1 image"
    assert [counted(number, "image") for number in (0, 2)] == ["0 images", "2 images"]
    assert counted(1, "entry is", "entries are") == "1 entry is"
    assert counted(3, "entry is", "entries are") == "3 entries are"


@pytest.mark.parametrize("kind", [RisbenchError, DataError, MaskError, UsageError])
def test_an_error_is_one_line_without_control_characters_whatever_it_quotes(kind: type[RisbenchError]):
    assert str(kind("key \n of \x1b[31m a file")) == r"key   of \x1b[31m a file"
    assert str(kind("größe ≥ 3 px: 図")) == "größe ≥ 3 px: 図"
