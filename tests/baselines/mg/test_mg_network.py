"""MG's network against NumPy written from the facts: both variants, the resize, the level choice, the query's map."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.mgs import attended, cells, features, save, small, texts, variables
from torch import Tensor

import baselines.mg
from baselines.mg.attention import WordMaps, query_map
from baselines.mg.config import EDITIONS, MgConfig, in_edition
from baselines.mg.network import MgNetwork
from baselines.mg.vgg import legacy
from risbench import UsageError

SIDE = 75  # 9 cells at conv4 and 4 at conv5


def tensors(*arrays: np.ndarray) -> list[Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def pictures(count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize(("text", "mix"), [("elmo", "thirds"), ("elmo", "stored"), ("bilstm", None)])
def test_word_maps_are_those_of_the_facts(tmp_path: Path, text: str, mix: str | None):
    arrays = small(text)
    network = baselines.mg.load(save(arrays, tmp_path / "model"), mix=mix)
    assert (network.config.text, network.config.kernel) == (text, 1 if text == "elmo" else 3)
    layers, lengths, images = features(), [4, 2], pictures()
    found = network.word_maps(*tensors(images.transpose(0, 3, 1, 2).copy(), *layers), torch.tensor(lengths))
    pixels = cells(arrays, images)
    words, sentences = texts(arrays, layers, lengths, mix or "thirds")
    assert found.heat.shape == (2, 4, 9, 9)
    for image in range(2):
        for word in range(4):
            both = [attended(pixels[image, level], words[image, word]) for level in range(4)]
            scores = [score for _, score in both]
            level = scores.index(max(scores))
            np.testing.assert_allclose(found.level_score[image, word], scores, atol=1e-5)
            assert found.score[image, word] == pytest.approx(max(scores), abs=1e-5)
            assert found.level[image, word] == level
            np.testing.assert_allclose(found.heat[image, word].flatten(), both[level][0], atol=1e-5)
    mine, theirs, last = network(*tensors(images.transpose(0, 3, 1, 2).copy(), *layers), torch.tensor(lengths))
    np.testing.assert_allclose(mine.numpy(), pixels, atol=1e-5)
    np.testing.assert_allclose(theirs.numpy(), words, atol=1e-5)
    np.testing.assert_allclose(last.numpy(), sentences, atol=1e-5)


def test_all_words_count_where_no_lengths_are_given(tmp_path: Path):
    for text in ("elmo", "bilstm"):
        network = baselines.mg.load(save(small(text), tmp_path / text))
        images, *layers = tensors(pictures().transpose(0, 3, 1, 2).copy(), *features())
        one, other = network.word_maps(images, *layers), network.word_maps(images, *layers, torch.tensor([4, 4]))
        torch.testing.assert_close(one.heat, other.heat)


def test_the_layout_at_full_size_is_the_authors():
    with torch.device("meta"):
        network = MgNetwork()
        bilstm = MgNetwork(MgConfig(text="bilstm", head=(1024,), kernel=3)).state_dict()
    assert sum(weight.numel() for name, weight in network.named_parameters() if name.startswith("vgg")) == 14_714_688
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    assert shapes["image_mapping.v1.0.weight"] == (1024, 512, 1, 1)
    assert shapes["image_mapping.v4.2.weight"] == (1024, 1024, 1, 1)
    assert shapes["text_mapping.sentence_level.dense_1.weight"] == (1024, 1024)
    assert len(shapes) == 26 + 24 + 8 + 2
    assert len(small()) == 26 + 24 + 8 + 2
    assert bilstm["image_mapping.v3.0.weight"].shape == (1024, 512, 3, 3)
    assert bilstm["text.lstm.weight_ih_l0_reverse"].shape == (2048, 512)


def test_at_299_pixels_maps_have_37_cells_a_side_and_the_upper_stage_18():
    config = MgConfig(widths=((2,), (2,), (2,), (2, 2, 2), (2, 2, 2)), head=(3,), embed=2)
    network = MgNetwork(config).eval()
    with torch.inference_mode():
        levels = network.vgg(torch.zeros(1, 3, 299, 299))
        assert [level.shape[2] for level in levels] == [37, 37, 18, 18]
        assert network.encode_image(torch.zeros(1, 3, 299, 299))[1] == (37, 37)


def test_the_resize_is_tensorflow_1s():
    rows = torch.tensor([0.0, 10.0, 40.0])
    found = legacy(rows.reshape(1, 1, 3, 1), (6, 1))[0, 0, :, 0]
    assert found.tolist() == [0, 5, 10, 25, 40, 40]  # at 0, 0.5, 1, 1.5, 2, 2.5: the last row repeats
    whole = torch.rand(2, 3, 18, 18)
    assert legacy(whole, (18, 18)) is whole
    fine = legacy(whole, (37, 37))
    assert torch.equal(fine[:, :, 0, 0], whole[:, :, 0, 0])
    assert torch.allclose(fine[:, :, 36, 36], whole[:, :, 17, 17])


def test_prepare_is_opencvs_squash_of_whole_numbers():
    image = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)
    found = baselines.mg.prepare(image)
    assert (found.dtype, found.shape) == (torch.float32, (3, 299, 299))
    expected = cv2.resize(image, (299, 299))
    np.testing.assert_array_equal(found.permute(1, 2, 0).numpy(), expected)
    assert baselines.mg.prepare(image[:1, :1]).shape == (3, 299, 299)


def test_a_query_is_the_average_of_its_words_weighted_with_their_scores():
    heat = torch.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    maps = WordMaps(
        heat, torch.tensor([[1.0, 3.0, 9.0], [0.0, 0.0, 5.0]]), torch.zeros(2, 3).long(), torch.zeros(2, 3, 4)
    )
    found = query_map(maps, torch.tensor([2, 2]))
    torch.testing.assert_close(found[0], heat[0, 0] / 4 + heat[0, 1] * 3 / 4)
    assert found[1].abs().sum() == 0  # no word fits: nothing is shown, and the padding behind it does not count
    assert query_map(maps, torch.tensor([0, 0])).abs().sum() == 0


def test_of_levels_that_fit_equally_well_the_first_is_taken():
    from baselines.mg.attention import best

    score = torch.tensor([[[0.5], [0.7], [0.7], [0.1]]])
    found = best(torch.arange(4.0).reshape(1, 4, 1, 1, 1), score)
    assert (found.level.item(), found.heat.item(), found.score.item()) == (1, 1.0, pytest.approx(0.7))


def test_the_notebooks_differ_in_order_size_norm_mixture_and_sentence(tmp_path: Path):
    arrays = variables(widths=(4, 4, 6, 8, 8), space=12, embed=6)
    network = baselines.mg.load(save(arrays, tmp_path / "model"), edition="notebooks")
    config = network.config
    assert (config.levels, config.grid, config.norm, config.mix) == (
        ("5_1", "5_3", "4_1", "4_3"),
        "smallest",
        "last",
        "given",
    )
    assert in_edition(MgConfig(text="bilstm"), "notebooks").mix == "thirds"
    assert set(EDITIONS) == {"code", "notebooks"}
    with pytest.raises(UsageError, match="edition=notebook: did you mean"):
        in_edition(config, "notebook")


def test_the_notebooks_maps_are_small_with_corners_on_corners():
    config = in_edition(MgConfig(widths=((2,), (2,), (2,), (3, 2, 3), (3, 2, 3)), head=(5,), embed=2), "notebooks")
    torch.manual_seed(0)
    network = MgNetwork(config).eval()
    with torch.inference_mode():
        images = torch.rand(1, 3, SIDE, SIDE) * 255
        pixels, grid = network.encode_image(images)
        assert grid == (4, 4)
        corner = network.vgg(images)[2][:, :, 0, 8]  # of conv4_1, which has 9 cells a side
        raw = torch.nn.functional.leaky_relu(network.image_mapping.v3[0](corner[:, :, None, None]), 0.25).flatten()
        torch.testing.assert_close(pixels[0, 2, 3], raw / raw.norm())
        words = network.encode_text(torch.rand(1, 3, 4), torch.rand(1, 3, 4), torch.rand(1, 3, 4))[0]
        assert words.shape == (1, 3, 5)
