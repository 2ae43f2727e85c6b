"""Plain texts get the tokens of open_clip's tokenizer, which they do not need."""

from __future__ import annotations

import sys

import pytest
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st

from tris_model.clip import tokens
from tris_model.clip.bpe import PlainEncoder, is_plain

LETTERS = "".join(chr(code) for code in range(32, 127) if chr(code) not in "&<")


@examples(300)
@given(st.text(LETTERS, max_size=40) | st.text("aeinorst' 's", max_size=60))
def test_a_plain_text_has_the_tokens_of_open_clips_tokenizer(text: str) -> None:
    assert is_plain(text)
    encoder = tokens._plain_encoder()
    assert encoder is not None
    assert encoder.encode(text) == tokens._tokenizer().encode(text)


def test_every_plain_word_of_the_vocabulary_has_its_tokens() -> None:
    encoder, theirs = tokens._plain_encoder(), tokens._tokenizer()
    assert encoder is not None
    words = [word for symbol in theirs.encoder if is_plain(word := symbol.removesuffix("</w>"))]
    assert len(words) > 40_000
    assert all(encoder.encode(word) == theirs.encode(word) for word in words[::7])


@pytest.mark.parametrize("text", ["ünï", "a &amp; b", "<|endoftext|>", "a\tb", "a\u200bb", "caf\u00e9"])
def test_any_other_text_is_left_to_open_clips_tokenizer(text: str) -> None:
    assert not is_plain(text)


def test_a_table_with_too_few_merges_is_not_used(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip
    from pathlib import Path

    file = Path(str(tmp_path)) / "bpe_simple_vocab_16e6.txt.gz"
    file.write_bytes(gzip.compress(b"#version\ni n\n"))
    with pytest.raises(ValueError, match="merges, not"):
        PlainEncoder.read(file)
    monkeypatch.setattr(tokens, "_plain_encoder", lambda: None)
    assert tokens.encode(["a cat"]) == [[tokens.START, 320, 2368, tokens.END]]


def test_plain_texts_import_neither_ftfy_nor_regex() -> None:
    import subprocess

    program = (
        "import sys; from tris_model.clip.tokens import encode; encode(['the red bus']); "
        "print([name for name in ('ftfy', 'regex', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
