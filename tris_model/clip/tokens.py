"""Texts become tokens as the authors' do, their cut of long texts included.

They tokenise to CLIP's 77 places and then slice to 20, so a text of more than 18 BPE tokens loses its end-of-text. The
end-of-text is where stage 1 reads a text's feature; without one it reads the start, which under the causal mask is the
same for every text. ``keep_end`` repairs that: the last place becomes the end-of-text. Over 77 tokens their code
raises; here the slice to 20 simply happens, since no token behind it could have mattered.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbench.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

START = 49406
END = 49407
LENGTH = 20


@cache
def _tokenizer() -> Any:
    """open_clip's copy of OpenAI's tokenizer, from its file alone: importing all of open_clip takes seconds."""
    package = importlib.util.find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise DataError("tokens need open_clip's tokenizer; pip install open_clip_torch")
    file = Path(package.submodule_search_locations[0]) / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("tris_model._open_clip_tokenizer", file)
    if spec is None or spec.loader is None:
        raise DataError(f"{file} cannot be imported; install open_clip_torch anew")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tokenizer = module.SimpleTokenizer()
    # open_clip spells the two special tokens otherwise; a text that contains one must come out as OpenAI's does.
    specials = {"<|startoftext|>": START, "<|endoftext|>": END}
    pattern = tokenizer.pat.pattern.replace("<start_of_text>|<end_of_text>", r"<\|startoftext\|>|<\|endoftext\|>")
    tokenizer.pat = module.re.compile(pattern, module.re.IGNORECASE)
    tokenizer.cache = {name: name for name in specials}
    tokenizer.encoder.update(specials)
    return tokenizer


def encode(texts: Sequence[str] | str) -> list[list[int]]:
    """The tokens of every text, start and end included, of whatever length.

    An empty text is a start and an end. Case, repeated blanks, HTML entities and broken Unicode are normalised as
    CLIP does.

    Raises:
        DataError: one of the texts is no string.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {place} is {type(text).__name__}, not a string")
    # Lone surrogates (half an emoji) cannot be written in UTF-8, on which BPE works.
    whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    tokenizer = _tokenizer()
    return [[START, *tokenizer.encode(text), END] for text in whole]


def pack(rows: Sequence[Sequence[int]], *, keep_end: bool = False, length: int = LENGTH) -> Tensor:
    """Cut and zero-pad the rows of :func:`encode`, int64 ``(N, length)``."""
    import torch

    tokens = torch.zeros(len(rows), length, dtype=torch.int64)
    for target, row in zip(tokens, rows, strict=True):
        kept = list(row[:length])
        if keep_end and len(row) > length:
            kept[-1] = END
        target[: len(kept)] = torch.tensor(kept)
    return tokens


def tokenize(texts: Sequence[str] | str, keep_end: bool = False, length: int = LENGTH) -> Tensor:
    """Texts to tokens.

    Args:
        texts: any number of texts; empty ones and ones of any length are fine.
        keep_end: put the end-of-text in the last place of a text that is too long, instead of losing it.
        length: places a text has.

    Returns:
        int64 ``(N, length)`` on the CPU: start-of-text, tokens, end-of-text, zeros.
    """
    return pack(encode(texts), keep_end=keep_end, length=length)
