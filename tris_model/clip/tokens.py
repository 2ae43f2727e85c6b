"""Tokenise texts as the authors do, with their cut of long texts.

The authors tokenise to CLIP's 77 positions and then keep the first 20, so a text of more than 18 BPE tokens loses its
end-of-text. Stage 1 takes a text's feature at the end-of-text. Without one it takes the feature at the start-of-text,
which under the causal mask is the same for every text. ``keep_end`` repairs this: the last position becomes the
end-of-text. For more than 77 tokens the authors' code raises an error; here the text is cut to 20 as well.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbench.errors import DataError

from .bpe import PlainEncoder, is_plain

if TYPE_CHECKING:
    from torch import Tensor

START = 49406
END = 49407
LENGTH = 20


@cache
def _folder() -> Path:
    """The folder of open_clip, which has OpenAI's tokenizer and its table. It is not imported: that takes seconds."""
    package = importlib.util.find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise DataError("texts need open_clip's tokenizer; pip install open_clip_torch")
    return Path(package.submodule_search_locations[0])


@cache
def _plain_encoder() -> PlainEncoder | None:
    """The fast encoder of plain texts; None if this open_clip keeps its table elsewhere."""
    try:
        return PlainEncoder.read(_folder() / "bpe_simple_vocab_16e6.txt.gz")
    except (OSError, EOFError, ValueError, zlib.error):
        return None


@cache
def _tokenizer() -> Any:
    """open_clip's copy of OpenAI's tokenizer, for texts that are not plain; only its file is loaded."""
    file = _folder() / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("tris_model._open_clip_tokenizer", file)
    if spec is None or spec.loader is None:
        raise DataError(f"{file} cannot be imported; install open_clip_torch again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer = module.SimpleTokenizer()
    # open_clip spells the two special tokens differently; a text that contains one must give OpenAI's tokens.
    specials = {"<|startoftext|>": START, "<|endoftext|>": END}
    pattern = tokenizer.pat.pattern.replace("<start_of_text>|<end_of_text>", r"<\|startoftext\|>|<\|endoftext\|>")
    tokenizer.pat = module.re.compile(pattern, module.re.IGNORECASE)
    tokenizer.cache = {name: name for name in specials}
    tokenizer.encoder.update(specials)
    return tokenizer


def encode(texts: Sequence[str] | str) -> list[list[int]]:
    """The tokens of every text in full length, with start-of-text and end-of-text.

    An empty text has only these two. Case, repeated blanks, HTML entities and broken Unicode are normalised as in CLIP.

    Raises:
        DataError: one of the texts is not a string.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {place} is {type(text).__name__}, not a string")
    return [[START, *_encoded(text), END] for text in texts]


def _encoded(text: str) -> list[int]:
    if is_plain(text) and (encoder := _plain_encoder()) is not None:
        return encoder.encode(text)
    # BPE works on UTF-8, which cannot encode lone surrogates (half an emoji).
    return _tokenizer().encode(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def pack(rows: Sequence[Sequence[int]], *, keep_end: bool = False, length: int = LENGTH) -> Tensor:
    """Cut and zero-pad the rows of :func:`encode`, int64 ``(N, length)``."""
    import torch

    packed = []
    for row in rows:
        kept = list(row[:length])
        if keep_end and len(row) > length:
            kept[-1] = END
        packed.append(kept + [0] * (length - len(kept)))
    return torch.tensor(packed, dtype=torch.int64).reshape(len(rows), length)


def tokenize(texts: Sequence[str] | str, keep_end: bool = False, length: int = LENGTH) -> Tensor:
    """Tokenise texts.

    Args:
        texts: any number of texts of any length; a text may be empty.
        keep_end: put the end-of-text at the last position of a text that is too long; without it, the end-of-text is
            lost.
        length: number of tokens per text.

    Returns:
        int64 ``(N, length)`` on the CPU: start-of-text, tokens, end-of-text, zeros.
    """
    return pack(encode(texts), keep_end=keep_end, length=length)
