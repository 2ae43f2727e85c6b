"""BERT's WordPiece (uncased): a text becomes pieces of words, each with an id.

The rules are those of BERT's Python tokenizer as the compared methods bundle it, which leaves out one step of the
published one: characters that control or format (NUL, zero-width spaces, U+FFFD) are not removed, so that their word is
unknown. Words with more than 100 characters, and words that no pieces make up, are unknown as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from risbench import DataError

if TYPE_CHECKING:
    from torch import Tensor

PADDING, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = (PADDING, UNKNOWN, START, END, MASK)
LONGEST = 100  # characters of a word
_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
# Chinese characters are words by themselves.
_CHINESE = re.compile(
    "([\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f])"
)


class WordPiece:
    """A vocabulary, and how texts are cut into it.

    Attributes:
        words: the pieces, a piece's place being its id; those inside of a word begin with ``##``.
    """

    def __init__(self, words: Sequence[str], source: str = "the vocabulary"):
        """Take a vocabulary.

        Args:
            words: see above.
            source: where they are from, for messages.

        Raises:
            DataError: one of the four tokens that every text needs is not there, or [PAD] is not the first.
        """
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words)}
        if missing := [word for word in (UNKNOWN, START, END) if word not in self._ids]:
            raise DataError(f"{source} is no vocabulary of BERT: it has no line {' or '.join(missing)}")
        if self._ids.get(PADDING) != 0:
            raise DataError(f"{source} is no vocabulary of BERT: its first line is not {PADDING}")

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> WordPiece:
        """A vocabulary of all words of some texts, whole."""
        return cls([*SPECIAL, *sorted({word for text in texts for word in basic_words(text)})])

    def __len__(self) -> int:
        return len(self.words)

    def id_of(self, piece: str) -> int:
        """The id of a piece, or that of [UNK] for one that the vocabulary does not have."""
        return self._ids.get(piece, self._ids[UNKNOWN])

    def encode(self, text: str) -> list[int]:
        """The ids of a text of any length, between those of ``[CLS]`` and ``[SEP]``."""
        return [self._ids[START], *map(self.id_of, self.pieces(text)), self._ids[END]]

    def pieces(self, text: str) -> Iterator[str]:
        """The pieces of a text, in order. Special tokens that stand in it, in capitals, stay whole."""
        for part in _SPECIAL.split(text):
            if part in SPECIAL:
                yield part
            else:
                for word in basic_words(part):
                    yield from self._split(word)

    def tokenize(self, texts: Sequence[str], length: int = 20) -> tuple[Tensor, Tensor]:
        """Texts as BERT reads them: cut after ``[CLS]`` and ``[SEP]`` were added, so a long text has no end.

        Args:
            texts: any number of texts; empty ones and ones of any length are fine.
            length: tokens of a text.

        Returns:
            Ids int64 ``(N, length)``, 0 on padding, and their mask int64 ``(N, length)``, 1 on tokens.
        """
        import torch

        ids = torch.zeros(len(texts), length, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for place, text in enumerate(texts):
            row = self.encode(text)[:length]
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        return ids, mask

    def _split(self, word: str) -> list[str]:
        """The longest piece that the word begins with, then the longest that the rest begins with, and so on."""
        if len(word) > LONGEST:
            return [UNKNOWN]
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                if (piece := prefix + word[start:end]) in self._ids:
                    break
            else:
                return [UNKNOWN]
            pieces.append(piece)
            start = end
        return pieces


def basic_words(text: str) -> list[str]:
    """Lower-case words without accents; punctuation marks and Chinese characters are words by themselves."""
    # Letter by letter, as theirs: a Greek sigma at the end of a word stays the usual one.
    lower = "".join(character.lower() for character in text)
    words = []
    for word in _CHINESE.sub(r" \1 ", lower).split():
        plain = (one for one in unicodedata.normalize("NFD", word) if unicodedata.category(one) != "Mn")
        words += "".join(f" {one} " if _is_punctuation(one) else one for one in plain).split()
    return words


def _is_punctuation(character: str) -> bool:
    """ASCII signs that are neither letter nor digit count, also those that Unicode calls symbols."""
    ascii_sign = "!" <= character <= "~" and not character.isalnum()
    return ascii_sign or unicodedata.category(character).startswith("P")
