"""The method wwbl: two files, one encoding of an image, one line for each error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.clips import WORDS, tiny_vit
from PIL import Image
from torch.nn.functional import interpolate, normalize

from baselines._clip.vit import VitClip, VitConfig, load_vit
from baselines.wwbl.clip import TINY, open_clip, origin
from baselines.wwbl.method import CARD, WWbL, make
from baselines.wwbl.network import WWbLConfig, WWbLNetwork
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from tris_model import digest, tokenize
from tris_model.files import write

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
RECIPE = '{"split": "shapes_train"}'


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vit(tmp_path_factory.mktemp("clip") / "clip.safetensors")


@pytest.fixture(scope="module")
def config(clip: Path) -> WWbLConfig:
    embed = load_vit(clip).config.embed
    made = WWbLConfig(widths=((4, 4), (6,), (8, embed)), up=5, image_size=32, batchnorm=True, prompt="{}")
    return replace(made, **origin(open_clip(str(clip), "cpu")))


@pytest.fixture(scope="module")
def weights(config: WWbLConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = WWbLNetwork(config)
    path = tmp_path_factory.mktemp("weights") / "wwbl.safetensors"
    write(network.state_dict(), path, {"config": config.to_json(), "recipe": RECIPE})
    return path


@pytest.fixture(scope="module")
def method(weights: Path, clip: Path) -> WWbL:
    return make(weights=str(weights), clip=str(clip))


def test_a_heat_is_the_networks_map_of_the_squashed_image_and_the_clips_text(
    method: WWbL, weights: Path, clip: Path, config: WWbLConfig
):
    network, tower = WWbLNetwork(config).eval(), load_vit(clip)
    from baselines.wwbl import load

    network.load_state_dict(load(weights).state_dict())
    squashed = np.asarray(Image.fromarray(PICTURE).resize((32, 32), Image.Resampling.BILINEAR))
    image = (torch.from_numpy(squashed.copy()).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
    for text, answer in zip(WORDS, method.predict(PICTURE, WORDS), strict=True):
        with torch.inference_mode():
            vector = normalize(tower.encode_text(tokenize([text], keep_end=True, length=tower.config.context)), dim=1)
            expected = network(image, vector)
            large = interpolate(expected, size=(60, 90), mode="bilinear", align_corners=False)[0, 0]
        np.testing.assert_allclose(answer.heat, expected[0, 0], atol=1e-5)
        assert answer.heat.dtype == np.float32
        assert (answer.mask == (large > 0.5).numpy()).mean() > 0.999


def test_the_method_keeps_its_contract(method: WWbL):
    findings = check_method(method, load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []
    assert method.parameter_count > 0


def test_many_texts_in_one_call_are_answered_as_alone_and_an_image_is_encoded_once(
    method: WWbL, monkeypatch: pytest.MonkeyPatch
):
    texts = [f"{word} {number}" for number in range(5) for word in WORDS] + ["", "word " * 200, WORDS[0]]
    alone = [method.predict(PICTURE, [text])[0].heat for text in texts[:3]]
    counted, encode = [], WWbLNetwork.encode
    monkeypatch.setattr(WWbLNetwork, "encode", lambda self, images: counted.append(1) or encode(self, images))
    together = method.predict(PICTURE, texts)
    assert len(counted) == 1
    assert method.predict(PICTURE, []) == []
    for one, other in zip(alone, together, strict=False):
        np.testing.assert_allclose(one, other.heat, atol=1e-5)
    assert all(np.isfinite(one.heat).all() for one in together)


@pytest.mark.parametrize("size", [(1, 1), (16, 5000), (7, 3)])
def test_images_of_any_size_are_answered(method: WWbL, size: tuple[int, int]):
    (answer,) = method.predict(np.zeros((*size, 3), np.uint8), ["a star"])
    assert answer.mask.shape == size
    assert answer.heat.shape == (32, 32)


def test_the_card_says_what_was_used(method: WWbL, weights: Path, clip: Path):
    card = method.card
    assert (card["weights"], card["clip"]) == (digest(weights), digest(clip))
    assert (card["supervision"], card["trained_on"], card["prompt"], card["size"]) == ("text", "drawn scenes", "{}", 32)
    assert CARD["threshold"] == 0.5
    larger = make(weights=str(weights), clip=str(clip), size=48, threshold=0.2, prompt="image of {}")
    assert larger.predict(PICTURE, ["a star"])[0].heat.shape == (48, 48)
    assert (larger.card["threshold"], larger.card["prompt"], larger.card["size"]) == (0.2, "image of {}", 48)


def test_what_is_missing_or_does_not_fit_is_said_in_one_line(
    weights: Path, clip: Path, config: WWbLConfig, tmp_path: Path
):
    lines = []

    def refused(kind: type[Exception], words: str, **options: object) -> None:
        with pytest.raises(kind, match=words) as caught:
            make(**options)  # type: ignore[arg-type]
        lines.append(str(caught.value))

    photographs = tmp_path / "photographs.safetensors"
    write(WWbLNetwork(config).state_dict(), photographs, {"config": config.to_json()})
    refused(UsageError, r"wwbl needs weights: get the authors' net_best\.pth.*--set clip=FILE")
    refused(UsageError, r"needs weights", split="refcoco_val")
    refused(
        UsageError, r"wwbl needs a CLIP: get https.*ViT-B-32\.pt and pass --set clip=FILE", weights=str(photographs)
    )
    refused(UsageError, r"no weights file .*none\.pt.*--set clip=FILE", weights=str(weights), clip="none.pt")
    refused(UsageError, "prompt='x' has no {}", weights=str(weights), clip=str(clip), prompt="x")
    refused(UsageError, "size=7: give", weights=str(weights), clip=str(clip), size=7)
    refused(UsageError, "threshold=1: give", weights=str(weights), clip=str(clip), threshold=1.0)
    other = tmp_path / "other.pt"
    sizes = VitConfig(
        image_size=32, patch=8, width=128, depth=1, heads=2, text_width=64, text_depth=1, text_heads=1, embed=24
    )
    torch.save(VitClip(sizes).state_dict(), other)
    refused(
        UsageError, rf"trained with the text vectors of {TINY}.*but clip is ViT-128-wide/8", weights=str(weights),
        clip=str(other),
    )  # fmt: skip
    refused(DataError, "a CLIP .*, and no WWbL", weights=str(other), clip=str(clip))
    assert all("\n" not in line for line in lines)


def test_another_file_of_the_same_kind_of_clip_is_said(weights: Path, config: WWbLConfig, tmp_path: Path):
    sizes = load_vit(tiny_vit(tmp_path / "a.safetensors")).config
    torch.manual_seed(9)
    write(VitClip(sizes).state_dict(), tmp_path / "b.safetensors", {"config": sizes.to_json()})
    notes = make(weights=str(weights), clip=str(tmp_path / "b.safetensors")).weights_notes
    assert any("another file than the one that these weights were trained with" in note for note in notes)
