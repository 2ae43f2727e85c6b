"""Tokens come out as OpenAI's, cut as the authors cut them."""

from __future__ import annotations

import pytest
import torch

from risbench.errors import DataError
from tris_model import tokenize
from tris_model.clip.tokens import END, START, encode


def test_a_known_sentence_has_openais_ids() -> None:
    row = tokenize(["a photo of a cat"])[0]
    assert row.tolist() == [START, 320, 1125, 539, 320, 2368, END] + [0] * 13
    assert row.dtype == torch.int64


def test_a_string_alone_is_one_text() -> None:
    assert torch.equal(tokenize("a cat"), tokenize(["a cat"]))


def test_case_blanks_and_entities_are_normalised() -> None:
    assert torch.equal(tokenize([" Left   MAN &amp;amp; dog\n"]), tokenize(["left man & dog"]))


def test_eighteen_tokens_keep_their_end_and_nineteen_lose_it() -> None:
    fits, cut = tokenize(["man " * 18, "man " * 19])
    assert fits[0] == START
    assert fits[19] == END
    assert END not in cut
    assert int(cut.argmax()) == 0


def test_the_repaired_variant_puts_the_end_last() -> None:
    fits, cut = tokenize(["man " * 18, "man " * 19], keep_end=True)
    assert fits[19] == END
    assert cut[19] == END
    assert torch.equal(cut[:19], tokenize(["man " * 19])[0, :19])


@pytest.mark.parametrize("keep_end", [False, True])
def test_texts_of_any_length_have_a_defined_row(keep_end: bool) -> None:
    # Beyond 77 tokens the authors' code raises; the first 20 are what its slice would have kept.
    rows = tokenize(["man " * 30, "man " * 100, "man " * 500], keep_end=keep_end)
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0], rows[2])


def test_empty_and_blank_texts_are_a_start_and_an_end() -> None:
    for row in tokenize(["", "   ", "\n\t"]):
        assert row.tolist() == [START, END] + [0] * 18


def test_no_texts_are_no_rows() -> None:
    assert tokenize([]).shape == (0, 20)


def test_emoji_and_half_an_emoji_are_texts() -> None:
    rows = encode(["👩‍🚀 on the left", "half \ud83d an emoji", "ünïcödé 汉字"])
    assert all(row[0] == START and row[-1] == END and len(row) > 3 for row in rows)
    assert max(max(row) for row in rows) == END


def test_openais_spelling_of_the_special_tokens_is_special_and_open_clips_is_not() -> None:
    theirs, other = encode(["a <|endoftext|> b", "a <end_of_text> b"])
    assert theirs.count(END) == 2
    assert other.count(END) == 1


def test_another_length_is_obeyed() -> None:
    assert tokenize(["a cat"], length=8).shape == (1, 8)


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(DataError, match="text 1 is int"):
        tokenize(["a cat", 3])  # pyright: ignore
