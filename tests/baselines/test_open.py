"""Every form of a CLIP is opened, and never with the wrong activation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.clips import openai_clip, openai_vit, tiny_clip, tiny_vit
from PIL import Image
from torchvision import transforms

from baselines._clip.open_clip_names import plain_config, vit_config
from baselines._clip.opening import open_model, vit_sizes
from baselines._clip.prompting import OpenedClip, pixels_of
from baselines._clip.provenance import of_openai
from baselines._clip.vit import VitClip, VitConfig
from risbench import DataError, UsageError
from tris_model import tokenize

TEXTS = ["a cat", "the man on the right"]
NONE: dict[str, Any] = {"split": None, "model": None, "pretrained": None, "device": "cpu"}


def opened(path: Path | str | None, **more: Any) -> OpenedClip:
    return open_model("method", **{**NONE, "weights": None if path is None else str(path), **more})


def _features(found: OpenedClip) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        return found.clip.encode_image(torch.full((1, 3, 32, 32), 0.3)), found.clip.encode_text(
            tokenize(TEXTS, length=77)
        )


@pytest.mark.parametrize("archive", [False, True])
def test_openais_transformer_computes_what_open_clip_computes(tmp_path: Path, archive: bool):
    theirs = openai_vit(tmp_path / "vit.pt", archive=archive)
    observed, result = _features(opened(tmp_path / "vit.pt"))
    with torch.inference_mode():
        torch.testing.assert_close(observed, theirs.encode_image(torch.full((1, 3, 32, 32), 0.3)), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(result, theirs.encode_text(tokenize(TEXTS, length=77)), atol=1e-5, rtol=1e-4)


def test_the_pixels_are_open_clips_own_when_it_squashes(tmp_path: Path):
    import open_clip

    openai_vit(tmp_path / "vit.pt")
    picture = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    theirs = open_clip.image_transform(
        32, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD, resize_mode="squash"
    )
    found = pixels_of(opened(tmp_path / "vit.pt"), picture, 32, 32)[0]
    assert torch.equal(found, theirs(Image.fromarray(picture)))  # pyright: ignore[reportArgumentType, reportCallIssue]
    wide = transforms.functional.resize(Image.fromarray(picture), [16, 48], transforms.InterpolationMode.BICUBIC)
    assert pixels_of(opened(tmp_path / "vit.pt"), picture, 16, 48).shape == (1, 3, 16, 48)
    assert wide.size == (48, 16)


@pytest.mark.parametrize("name", ["ViT-B-16", "ViT-B-32"])
@pytest.mark.parametrize("quick", ["", "-quickgelu"])
def test_the_layout_of_openais_transformers_is_read_whole(name: str, quick: str):
    import open_clip

    sizes = open_clip.get_model_config(name + quick)
    assert sizes is not None
    with torch.device("meta"):
        theirs = open_clip.CLIP(**{**sizes, "quick_gelu": True}).state_dict()
        ours = VitClip(vit_config(plain_config(name))).state_dict()
        by_shape = vit_sizes(theirs)
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    assert by_shape == VitConfig(patch=int(name[-2:]), hidden=3072)


def test_openais_weights_never_meet_the_exact_gelu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same tensors give other features with the other activation, and no shape tells."""
    import open_clip

    sizes = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 32, "layers": 3, "width": 128, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 1},
    }
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: sizes)
    theirs = openai_vit(tmp_path / "state.pt")
    openai_vit(tmp_path / "archive.pt", archive=True)
    state = {key: value.half() for key, value in theirs.state_dict().items()}
    torch.save({**state, "input_resolution": torch.tensor(32)}, tmp_path / "of_archive.pt")
    with torch.inference_mode():
        true = theirs.encode_image(torch.full((1, 3, 32, 32), 0.3))
    for file, activation in (("archive.pt", "quick_gelu"), ("of_archive.pt", "quick_gelu"), ("state.pt", "gelu")):
        found = opened(tmp_path / file, model="ViT-B-32")
        assert found.card["activation"] == activation
        assert torch.allclose(_features(found)[0], true, atol=1e-4) == (activation == "quick_gelu")
    monkeypatch.setattr("baselines._clip.open_clip_names._fetched", lambda model, tag: dict(theirs.state_dict()))
    for tag, activation in (("openai", "quick_gelu"), ("laion2b_s34b_b79k", "gelu"), ("metaclip_400m", "quick_gelu")):
        assert opened(None, model="ViT-B-32", pretrained=tag).card["activation"] == activation


def test_every_tag_of_openai_in_open_clips_table_is_read_with_quick_gelu():
    import open_clip

    of_openai = [
        (name, tag)
        for name, tag in open_clip.list_pretrained()
        if tag == "openai" or "openaipublic" in open_clip.get_pretrained_cfg(name, tag).get("url", "")
    ]
    assert len(of_openai) >= 9
    assert all(open_clip.get_pretrained_cfg(name, tag)["quick_gelu"] for name, tag in of_openai)


def test_a_file_by_its_hash_is_openais(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    openai_vit(tmp_path / "plain.pt")
    assert of_openai(tmp_path / "plain.pt") is None
    sha = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    monkeypatch.setattr("tris_model.digest", lambda path: sha)
    assert of_openai(tmp_path / "plain.pt") == "ViT-B-32"
    card = opened(tmp_path / "plain.pt").card
    assert "400 million" in card["extra_data"]
    assert card["activation_from"] == "OpenAI's file, by its hash"
    with pytest.raises(UsageError, match="is OpenAI's ViT-B-32, trained with quick_gelu"):
        opened(tmp_path / "plain.pt", activation="gelu")


def _plain(name: str) -> Any:
    try:
        return plain_config(name)
    except UsageError as error:
        return "its towers are not CLIP's own" if "its towers are not CLIP's own" in str(error) else f"{name}: {error}"


def test_every_name_of_open_clip_is_understood_or_refused_in_a_line():
    import open_clip

    names = open_clip.list_models()
    sizes = {name: _plain(name) for name in names}
    plain = {name for name, found in sizes.items() if not isinstance(found, str)}
    assert {found for found in sizes.values() if isinstance(found, str)} == {"its towers are not CLIP's own"}
    for name in plain:
        config = vit_config(sizes[name]) if not isinstance(sizes[name]["vision_cfg"]["layers"], list) else None
        assert config is None or config.width % config.heads == 0
    assert {"RN50", "ViT-B-16", "ViT-B-32-quickgelu", "ViT-L-14-336", "ViT-H-14", "ViT-bigG-14"} <= plain


def test_a_network_of_open_clips_name_is_the_one_that_open_clip_makes(tmp_path: Path):
    """Odd heads and perceptrons too: ViT-H's heads have 80 channels, bigG's perceptrons are not four times as wide."""
    import open_clip

    for name in ("ViT-H-14", "ViT-bigG-14", "ViT-L-14-336-quickgelu"):
        sizes = open_clip.get_model_config(name)
        assert sizes is not None
        with torch.device("meta"):
            theirs = open_clip.CLIP(**sizes)
            ours = VitClip(vit_config(sizes))
        found = {key: value.shape for key, value in theirs.state_dict().items()}
        assert {key: value.shape for key, value in ours.state_dict().items()} == found
        assert ours.visual.blocks[0].attn.heads == theirs.visual.transformer.resblocks[0].attn.num_heads


def test_a_checkpoint_of_open_clips_training_is_unwrapped(tmp_path: Path):
    theirs = openai_vit()
    wrapped = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"epoch": 3, "name": "run", "state_dict": wrapped}, tmp_path / "epoch_3.pt")
    observed, _ = _features(opened(tmp_path / "epoch_3.pt"))
    with torch.inference_mode():
        torch.testing.assert_close(observed, theirs.encode_image(torch.full((1, 3, 32, 32), 0.3)), atol=1e-5, rtol=1e-4)


def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path):
    openai_clip(tmp_path / "rn.pt")
    openai_vit(tmp_path / "vit.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pt")
    state = openai_vit().state_dict()
    del state["visual.ln_post.weight"]
    state["visual.proj"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "broken.pt")
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"path": "absent.pt"}, UsageError, "no weights file"),
        ({"path": "other.pt"}, DataError, "is not a CLIP"),
        ({"path": "broken.pt"}, DataError, r"1 missing \(visual.ln_post.weight\); 1 of the wrong shape \(visual.proj"),
        ({"path": "vit.pt", "model": "ViT-B-16"}, DataError, "of the wrong shape"),
        ({"path": "rn.pt", "model": "ViT-B-16"}, DataError, "missing"),
        ({"path": "vit.pt", "tower": "resnet"}, UsageError, "needs a ResNet, but .* has a vision transformer"),
        ({"path": "rn.pt", "tower": "vit"}, UsageError, "needs a vision transformer, but .* has a ResNet"),
        ({"path": None, "model": "ViT-B-61"}, UsageError, "knows no model 'ViT-B-61': did you mean .*ViT-B-16"),
        ({"path": None, "model": "ViT-B-16"}, UsageError, "needs --weights FILE or --set pretrained=TAG.*openai"),
        ({"path": None, "model": "ViT-B-16", "pretrained": "opnai"}, UsageError, "did you mean 'openai'"),
        ({"path": None, "pretrained": "openai"}, UsageError, "needs a model"),
        ({"path": "vit.pt", "model": "ViT-B-16", "pretrained": "openai"}, UsageError, "give one of them"),
        ({"path": None, "model": "ViT-SO400M-14-SigLIP"}, UsageError, "towers are not CLIP's own"),
        ({"path": None}, UsageError, "method needs a CLIP: get https.*ViT-B-16.pt"),
    ]
    for more, kind, text in cases:
        path = more.pop("path")
        with pytest.raises(kind, match=text) as caught:
            opened(None if path is None else tmp_path / path, **more)
        assert "\n" not in str(caught.value)


def test_nothing_is_fetched_that_nobody_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import socket

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    openai_vit(tmp_path / "vit.pt")
    opened(tmp_path / "vit.pt")
    opened(tiny_clip(tmp_path / "a.safetensors"))
    opened(tiny_vit(tmp_path / "b.safetensors"))
