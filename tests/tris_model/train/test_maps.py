"""Choosing maps in batches is choosing them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training import TOWERS, clip_file, refer_tree
from helpers.weight_recipe import built, filled

from risbench.errors import DataError
from tris_model.clip.pixels import preprocess
from tris_model.clip.towers import Clip
from tris_model.files.checkpoint import save
from tris_model.inference.prms import choose
from tris_model.network.stage1 import Stage1
from tris_model.train.maps import choose_all, choose_many, heat_of, read_maps
from tris_model.train.scorers import FrozenScorer, TowerScorer

CPU = torch.device("cpu")


@torch.inference_mode()
def test_many_refs_at_once_get_the_maps_that_each_gets_alone() -> None:
    clip = filled(Clip(TOWERS))
    assert isinstance(clip, Clip)

    class At224(TowerScorer):  # the one-by-one choice shows the scorer 224 pixels
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            assert images.shape[2:] == (224, 224)
            return super().encode_image(images)

    judge = At224(clip, CPU)
    draw = torch.Generator().manual_seed(1)
    images, heats = torch.randn(3, 3, 32, 32, generator=draw), torch.rand(9, 32, 32, generator=draw)
    heats[4] = heats[5]  # equals: the first is kept
    texts = ["left dog", "dog", "red dog", "cat", "a cat", "cat", "man", "old man", "tall man in black"]
    counts = [3, 3, 3]
    refs = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    many = choose_many(judge, 224, images[refs], heats, refs, texts)
    alone = [
        3 * at + choose(judge, images[at], heats[3 * at : 3 * at + 3], texts[3 * at : 3 * at + 3]) for at in range(3)
    ]
    assert many.tolist() == alone


def test_every_ref_gets_a_map_of_one_of_its_sentences_and_a_cut_run_goes_on(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    network = built(TOWERS)
    assert isinstance(network, Stage1)
    save(network, tmp_path / "stage1.safetensors")
    requested = (tmp_path / "stage1.safetensors", str(clip), "refcoco_train", tmp_path, CPU, data)
    folder = choose_all(*requested)
    first = read_maps(folder)
    (folder / "00000.npz").unlink()
    with pytest.raises(DataError, match="0 of 6 refs"):
        read_maps(folder)
    choose_all(*requested)
    again = read_maps(folder)
    np.testing.assert_array_equal(first.response, again.response)
    assert set(first.sentence.tolist()) <= {0, 1}

    from risbench.datasets.load import load_split
    from tris_model import tokenize

    sample = next(iter(load_split("refcoco_train", data)))
    from PIL import Image

    pixels = preprocess(Image.open(sample.image_path), 32)
    texts = [one.text for one in load_split("refcoco_train", data) if one.ref_id == sample.ref_id]
    with torch.inference_mode():
        response = network.respond(pixels[None], tokenize(texts))[0]
    np.testing.assert_allclose(first.response[0], response[first.sentence[0]].numpy(), rtol=1e-4, atol=1e-5)


def test_a_kept_map_becomes_what_the_authors_save() -> None:
    response = np.array([[-1.0, 2.0], [4.0, 0.0]], np.float32)
    heat = heat_of(response, 8, (24, 40))
    assert heat.shape == (24, 40)
    assert 0.99 < heat.max() < 1
    assert heat.min() == 0
    assert heat_of(np.full((2, 2), -1, np.float32), 8, (24, 40)).max() == 0


def test_scorers_read_a_text_once() -> None:
    read: list[str] = []

    class Watch:
        side = 8

        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)

        def encode_text(self, texts: list[str]) -> torch.Tensor:
            read.extend(texts)
            return torch.tensor([[float(len(text)), 1.0] for text in texts])

    judge = FrozenScorer(Watch())
    one = judge.encode_text(["aa", "b", "aa"])
    torch.testing.assert_close(one[0], one[2])
    judge.encode_text(["b", "ccc"])
    assert sorted(read) == ["aa", "b", "ccc"]
