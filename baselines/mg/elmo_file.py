"""ELMo's features of texts, from a file that somebody made where TensorFlow runs: a plain ``.npz`` of five arrays.

``texts``: the n texts, each with single spaces between its words; ``lengths``: int ``(n,)``, their numbers of words, in
the same order. ``words`` ``(M, 512)``, ``lstm1`` and ``lstm2`` ``(M, 1024)``: a row for each word of each text, one
text after another, M being the sum of the lengths; float16 or float32. In ELMo's module they are called ``word_emb``,
``lstm_outputs1`` and ``lstm_outputs2``. The variant with a BiLSTM needs the first three arrays alone. Written by
``numpy.savez`` and not by ``savez_compressed``, so that rows are read from the disk as they are needed.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from risbench import DataError, UsageError

from .config import MgConfig
from .words import TextBatch, words_of

MAKE = "see `ELMo's features` in baselines/README.md for how it is made"
MOST_TEXT = 1 << 30  # bytes of the array of texts


class ElmoFile:
    """The features of a file, by text; see the module for its form.

    Attributes:
        path: the file.
    """

    def __init__(self, place: str | os.PathLike[str], config: MgConfig):
        """Open a file; its rows are read later.

        Args:
            place: the file.
            config: of the network that will read them.

        Raises:
            UsageError: there is no such file.
            DataError: it has another form, or widths that are not the network's.
        """
        self.path = Path(place)
        if not self.path.is_file():
            raise UsageError(f"there is no file {self.path} with ELMo's features of the texts; {MAKE}")
        width = config.embed
        wanted = {"words": width if config.mix != "given" or config.text == "bilstm" else 2 * width}
        if config.text == "elmo":
            wanted |= {"lstm1": 2 * width, "lstm2": 2 * width}
        arrays = self._arrays(["texts", "lengths", *wanted])
        texts, lengths = arrays.pop("texts"), arrays.pop("lengths")
        if texts.ndim != 1 or texts.dtype.kind != "U" or texts.nbytes > MOST_TEXT:
            raise DataError(f"{self.path}: texts is an array of texts in one row, not {texts.dtype} {texts.shape}")
        if lengths.shape != texts.shape or lengths.dtype.kind not in "iu" or (len(lengths) and lengths.min() < 0):
            raise DataError(f"{self.path}: lengths has one whole number for each of the {len(texts)} texts")
        ends = np.cumsum(lengths, dtype=np.int64)
        for name, columns in wanted.items():
            shape = (int(ends[-1]) if len(ends) else 0, columns)
            if arrays[name].shape != shape or arrays[name].dtype.kind != "f":
                raise DataError(
                    f"{self.path}: {name} is {arrays[name].dtype} {arrays[name].shape}, and floats {shape} are needed, "
                    "a row for each word of all texts"
                )
        self._layers = arrays
        self._rows = {
            " ".join(words_of(text)): (int(end - length), int(end))
            for text, length, end in zip(texts.tolist(), lengths.tolist(), ends.tolist(), strict=True)
        }

    def check(self, texts: Sequence[str]) -> None:
        """Refuse texts that the file lacks.

        Raises:
            DataError: it lacks some; the first is named.
        """
        lacking = [
            text for text in dict.fromkeys(texts) if (words := words_of(text)) and " ".join(words) not in self._rows
        ]
        if lacking:
            raise DataError(
                f"{self.path} has no features of {lacking[0]!r:.120} ({len(lacking)} of {len(set(texts))} texts are "
                f"missing); {MAKE}"
            )

    def batch(self, texts: Sequence[str]) -> TextBatch:
        """See :class:`baselines.mg.words.TextSource`. A text without words needs no features.

        Raises:
            DataError: the file lacks a text, or its numbers are not finite.
        """
        self.check(texts)
        rows = [self._rows.get(" ".join(words_of(text)), (0, 0)) for text in texts]
        lengths = torch.tensor([end - start for start, end in rows], dtype=torch.int64)
        longest = max(1, int(lengths.max()) if len(rows) else 1)
        layers = {}
        for name, layer in self._layers.items():
            whole = np.zeros((len(rows), longest, layer.shape[1]), np.float32)
            for place, (start, end) in enumerate(rows):
                whole[place, : end - start] = layer[start:end]
            if not np.isfinite(whole).all():
                raise DataError(f"{self.path}: {name} holds numbers that are not finite; make the file again")
            layers[name] = torch.from_numpy(whole)
        return TextBatch(layers["words"], layers.get("lstm1"), layers.get("lstm2"), lengths)

    def _arrays(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Arrays of the archive, not loaded but mapped."""
        try:
            with zipfile.ZipFile(self.path) as archive, self.path.open("rb") as file:
                members = {member.filename: member for member in archive.infolist()}
                return {name: self._mapped(members[f"{name}.npy"], file) for name in names}
        except KeyError as error:
            raise DataError(f"{self.path} has no array {str(error)[1:-5]}; {MAKE}") from None
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, OverflowError, SyntaxError) as error:
            raise DataError(f"{self.path} is no .npz of ELMo's features ({str(error)[:120]}); {MAKE}") from None

    def _mapped(self, member: zipfile.ZipInfo, file: object) -> np.ndarray:
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed; write it with numpy.savez")
        file.seek(member.header_offset)  # pyright: ignore
        head = file.read(30)  # pyright: ignore
        if len(head) < 30 or not head.startswith(b"PK\x03\x04"):
            raise ValueError("a member lies elsewhere than the archive says")
        file.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)  # pyright: ignore
        version = np.lib.format.read_magic(file)  # pyright: ignore
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)  # pyright: ignore
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds objects of Python, which might run code")
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(self.path, dtype, "r", file.tell(), shape, "F" if fortran else "C")  # pyright: ignore
