"""BERT and its WordPiece against transformers' own, and their files."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.examples import examples
from helpers.lavts import WORDS
from hypothesis import given
from hypothesis import strategies as st

from baselines._bert import Bert, BertSizes, WordPiece, bert_sizes, find_vocabulary, load_bert
from baselines._bert.wordpiece import basic_words
from risbench import DataError, UsageError

# BERT's vocabulary is not in the repository; it is looked for beside it, or where this variable says.
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "bert" / "vocab.txt"
BERTS_OWN = Path(os.environ.get("RISBENCH_BERT_VOCAB", _BESIDE))
SIZES = BertSizes(vocabulary=40, positions=16, width=128, depth=2, heads=2, hidden=96)


@pytest.fixture(scope="module")
def theirs() -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40, max_position_embeddings=16, hidden_size=128, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=96,
    )  # fmt: skip
    network = transformers.BertModel(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return network


def test_the_last_hidden_state_is_that_of_transformers(theirs: Any, tmp_path: Path):
    theirs.save_pretrained(tmp_path)
    bert = load_bert(tmp_path)
    assert not bert.training
    ids = torch.randint(1, 40, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(3, 12, dtype=torch.int64)
    mask[1, 5:] = mask[2, 1:] = 0
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        observed = bert(ids, mask)
    assert expected.std() > 0.5
    torch.testing.assert_close(observed[mask.bool()], expected[mask.bool()], atol=1e-5, rtol=1e-5)


def test_old_names_heads_poolers_and_positions_do_not_matter_and_all_else_does(tmp_path: Path):
    bert = Bert(SIZES)
    old = {
        "bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in bert.state_dict().items()
    }
    more = {
        "cls.predictions.bias": torch.zeros(40), "bert.pooler.dense.bias": torch.zeros(128),
        "bert.embeddings.position_ids": torch.arange(16)[None],
    }  # fmt: skip
    torch.save(old | more, tmp_path / "pytorch_model.bin")
    read = load_bert(tmp_path / "pytorch_model.bin")
    assert read.sizes == SIZES
    assert all(value.equal(read.state_dict()[key]) for key, value in bert.state_dict().items())
    torch.save(
        {key: value for key, value in old.items() if "layer.1.output.dense.bias" not in key}, tmp_path / "less.bin"
    )
    with pytest.raises(DataError, match=r"1 missing \(encoder.layer.1.output.dense.bias\)"):
        load_bert(tmp_path / "less.bin")
    torch.save({"patch_embed.proj.weight": torch.zeros(2)}, tmp_path / "swin.bin")
    with pytest.raises(DataError, match="is no BERT"):
        load_bert(tmp_path / "swin.bin")
    with pytest.raises(UsageError, match=r"no weights file .*get model.safetensors from"):
        load_bert(tmp_path / "absent.bin")


def test_published_sizes_have_the_published_keys():
    with torch.device("meta"):
        state = Bert(BertSizes()).state_dict()
    assert len(state) == 197
    assert bert_sizes(state) == BertSizes()


@pytest.fixture(scope="module")
def words() -> WordPiece:
    return WordPiece(WORDS)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The RED circle", "the red circle"),
        ("leftmost dog", "left ##most dog"),
        ("", ""),
        ("réd, dog", "red [UNK] dog"),  # accents go, a comma is a word by itself
        ("the red\u200bcircle", "the [UNK]"),  # a zero-width space stays in its word
        ("red\x00", "[UNK]"),
        ("a [MASK] dog[SEP]", "[UNK] [MASK] dog [SEP]"),
        ("[mask]", "[UNK] [UNK] [UNK]"),  # in small letters it is a word in brackets
        ("dog" * 34, "[UNK]"),  # 102 letters
        ("left-most", "left [UNK] [UNK]"),
    ],
)
def test_texts_become_pieces_by_hand(words: WordPiece, text: str, pieces: str):
    expected = [2, *(WORDS.index(piece) for piece in pieces.split()), 3]
    assert words.encode(text) == expected


def test_a_long_text_is_cut_after_its_end_was_added_and_a_short_one_is_padded(words: WordPiece):
    ids, mask = words.tokenize(["the dog", "red " * 200, ""], 6)
    assert ids.tolist() == [[2, 5, 13, 3, 0, 0], [2, 6, 6, 6, 6, 6], [2, 3, 0, 0, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6, [1, 1, 0, 0, 0, 0]]
    assert words.tokenize([])[0].shape == (0, 20)


def test_basic_words_are_split_at_signs_and_chinese_characters():
    assert basic_words("$5.00~ Straße—ΟΔΟΣ 中文x") == ["$", "5", ".", "00", "~", "straße", "—", "οδοσ", "中", "文", "x"]


@pytest.fixture(scope="module")
def published() -> tuple[WordPiece, Any]:
    if not BERTS_OWN.is_file():
        pytest.skip("no vocabulary of BERT (set RISBENCH_BERT_VOCAB)")
    tokenizers = pytest.importorskip("tokenizers")
    return find_vocabulary("x", BERTS_OWN, None, 30522), tokenizers.BertWordPieceTokenizer(str(BERTS_OWN))


# Both know Unicode, but not the same version of it; these blocks have not changed for long.
LETTERS = st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("Cc", "Cf", "Cn"))


@examples(300)
@given(text=st.text(LETTERS | st.sampled_from("中字ひカ한ΣσАб—…“😀\n\t")))
def test_berts_own_vocabulary_gives_the_ids_of_the_tokenizers_library(published: Any, text: str):
    words, theirs = published
    assert unicodedata.unidata_version
    assert words.encode(text) == theirs.encode(text).ids


def test_expressions_with_berts_vocabulary(published: Any):
    words, _ = published
    ids, _ = words.tokenize(["The man on the far-left, holding [MASK]"])
    assert ids[0, :12].tolist() == [101, 1996, 2158, 2006, 1996, 2521, 1011, 2187, 1010, 3173, 103, 102]


def test_a_vocabulary_that_does_not_fit_is_refused_in_a_line(tmp_path: Path):
    with pytest.raises(UsageError, match=r"lavt needs BERT's vocabulary.*vocab.txt\), or put it beside the weights"):
        find_vocabulary("lavt", None, tmp_path / "w.pth", 14)
    with pytest.raises(UsageError, match="there is no vocabulary"):
        find_vocabulary("lavt", tmp_path / "absent.txt", None, 14)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    assert len(find_vocabulary("lavt", None, tmp_path / "w.pth", 14)) == 14
    assert len(find_vocabulary("lavt", tmp_path, None, 14)) == 14
    with pytest.raises(DataError, match="has 14 words, but the weights know 15"):
        find_vocabulary("lavt", None, tmp_path / "w.pth", 15)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"no vocabulary of BERT: it has no line \[UNK\] or \[CLS\] or \[SEP\]"):
        find_vocabulary("lavt", None, tmp_path / "w.pth", 2)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not text in UTF-8"):
        find_vocabulary("lavt", None, tmp_path / "w.pth", 2)
