"""Hugging Face's CLIPs are read as transformers reads them; other files are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.clips import openai_vit

from baselines import clip_es, clip_gae, clip_gradcam, clip_sim
from baselines._clip.opening import open_model
from baselines._clip.prompting import OpenedClip
from risbench import DataError, UsageError
from tris_model import digest, tokenize

TEXTS = ["a cat", "the man on the right"]
PIXELS = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)


def network(act: str = "quick_gelu", heads: int = 2) -> Any:
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": heads,
            "hidden_act": act, "vocab_size": 49408, "eos_token_id": 49407}  # fmt: skip
    vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": heads,
              "hidden_act": act, "image_size": 32, "patch_size": 16}  # fmt: skip
    made = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return made


def opened(place: Path | str, **more: Any) -> OpenedClip:
    none: dict[str, Any] = {"split": None, "model": None, "pretrained": None, "device": "cpu"}
    return open_model("clip_sim", **{**none, "weights": str(place), **more})


def assert_same(found: OpenedClip, made: Any) -> None:
    tokens = tokenize(TEXTS, keep_end=True, length=77)
    with torch.inference_mode():
        image, text = found.clip.encode_image(PIXELS), found.clip.encode_text(tokens)
        theirs_image, theirs_text = (
            made.get_image_features(pixel_values=PIXELS),
            made.get_text_features(input_ids=tokens),
        )
    theirs_image = getattr(theirs_image, "pooler_output", theirs_image)
    theirs_text = getattr(theirs_text, "pooler_output", theirs_text)
    torch.testing.assert_close(image, theirs_image, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(text, theirs_text, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_a_folder_of_hugging_faces_gives_transformers_features(tmp_path: Path, act: str) -> None:
    made = network(act)
    made.save_pretrained(tmp_path / "hf")
    for place in (tmp_path / "hf", tmp_path / "hf" / "model.safetensors"):
        found = opened(place)
        assert_same(found, made)
        assert (found.card["activation"], found.card["activation_from"]) == (act, "config.json")
        assert found.card["extra_data"].startswith("unknown")


def test_the_pickle_of_older_versions_shards_and_the_hubs_cache_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network()
    made.save_pretrained(tmp_path / "sharded", max_shard_size="2MB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    assert_same(opened(tmp_path / "sharded"), made)
    cache = tmp_path / "home" / "hub" / "models--openai--clip-small"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots" / "abc").mkdir(parents=True)
    ids = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    torch.save({**made.state_dict(), **ids}, cache / "blobs" / "b1")
    (cache / "snapshots" / "abc" / "pytorch_model.bin").symlink_to("../../blobs/b1")
    (cache / "snapshots" / "abc" / "config.json").write_text(json.dumps(made.config.to_dict()))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for place in ("openai/clip-small", "hf-hub:openai/clip-small", cache, cache / "snapshots" / "abc"):
        found = opened(place)
        assert_same(found, made)
        assert "400 million" in found.card["extra_data"]
    with pytest.raises(UsageError, match=r"Hugging Face hub it is not on this machine.*hf download openai/clip-large"):
        opened("openai/clip-large")


def test_the_number_of_heads_comes_from_the_settings_beside_the_weights(tmp_path: Path) -> None:
    made = network(heads=4)  # of 16 channels, which no shape shows
    made.save_pretrained(tmp_path / "hf")
    assert_same(opened(tmp_path / "hf"), made)


def test_a_file_without_its_settings_is_read_and_the_user_is_told(tmp_path: Path) -> None:
    made = network(heads=1)
    torch.save(made.state_dict(), tmp_path / "alone.bin")
    found = opened(tmp_path / "alone.bin")
    assert_same(found, made)
    assert "with quick_gelu" in found.notes[0]
    assert "--set activation=" in found.notes[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model_type": "chinese_clip"}, "configuration of chinese_clip"),
        ({"vision_config": {"hidden_act": "relu"}}, "activation"),
        ({"text_config": {"layer_norm_eps": 1e-6}}, "layer_norm_eps"),
    ],
)
def test_settings_that_are_not_built_here_are_refused_by_name(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    made = network()
    made.save_pretrained(tmp_path / "hf")
    result = made.config.to_dict()
    for key, value in settings.items():
        result[key] = {**result[key], **value} if isinstance(value, dict) else value
    (tmp_path / "hf" / "config.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match=words):
        opened(tmp_path / "hf")


def test_another_network_of_the_hub_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    torch.save(
        {"vision_model.embeddings.patch_embedding.weight": torch.ones(2, 3, 4, 4)}, tmp_path / "pytorch_model.bin"
    )
    with pytest.raises(DataError, match=r"is not a CLIP: it looks like siglip by config\.json"):
        opened(tmp_path)
    torch.save({"visual.trunk.blocks.0.x": torch.ones(2)}, tmp_path / "timm.pt")
    (tmp_path / "config.json").unlink()
    with pytest.raises(DataError, match=r"a CLIP with a tower of timm's"):
        opened(tmp_path / "timm.pt")


def test_open_clips_own_settings_decide_the_activation(tmp_path: Path) -> None:
    openai_vit(tmp_path / "open_clip_pytorch_model.bin", quick=False)
    settings = {
        "model_cfg": {
            "embed_dim": 64,
            "vision_cfg": {"image_size": 32, "layers": 3, "width": 128, "patch_size": 8},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 1},
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(settings))
    found = opened(tmp_path)
    assert (found.card["activation"], found.card["activation_from"]) == ("gelu", "open_clip_config.json")
    assert found.mean == (0.5, 0.5, 0.5)
    assert found.notes == ()


def test_a_text_tower_of_its_own_and_a_projection_as_a_layer_are_read(tmp_path: Path) -> None:
    theirs = openai_vit(tmp_path / "plain.pt")
    state = dict(theirs.state_dict())
    text = {key for key in state if not key.startswith("visual.") and key != "logit_scale"}
    custom = {(f"text.{key}" if key in text else key): value for key, value in state.items()}
    torch.save({**custom, "text.attn_mask": torch.ones(2)}, tmp_path / "custom.pt")
    layer = {key: value for key, value in state.items() if key != "text_projection"}
    torch.save({**layer, "text_projection.weight": state["text_projection"].T.contiguous()}, tmp_path / "layer.pt")
    plain = opened(tmp_path / "plain.pt").clip.encode_text(tokenize(TEXTS, length=77))
    for name in ("custom.pt", "layer.pt"):
        torch.testing.assert_close(opened(tmp_path / name).clip.encode_text(tokenize(TEXTS, length=77)), plain)


@pytest.mark.parametrize(
    ("method", "file"),
    [(clip_sim, "RN50.pt"), (clip_gradcam, "RN50.pt"), (clip_gae, "ViT-B-32.pt"), (clip_es, "ViT-B-16.pt")],
)
def test_each_method_advises_the_file_that_it_takes(method: Any, file: str, tmp_path: Path) -> None:
    for weights in (None, str(tmp_path / "nope.pt")):
        with pytest.raises(UsageError) as caught:
            method.make(weights=weights, split="refcoco_val")
        assert f"/{file} and pass --weights" in str(caught.value)


def test_what_a_plain_file_does_not_say_is_unknown_and_said(tmp_path: Path) -> None:
    openai_vit(tmp_path / "plain.pt")
    method: Any = clip_gae.make(weights=str(tmp_path / "plain.pt"))
    assert method.card["extra_data"].startswith("unknown")
    assert method.card["activation_from"] == "assumed"
    assert "--set model=NAME" in method.weights_notes[0]
    result: Any = clip_gae.make(weights=str(tmp_path / "plain.pt"), activation="gelu")
    assert (result.card["activation"], result.card["activation_from"]) == ("gelu", "--set activation")
    assert result.weights_notes == ()
    assert result.card["weights"] == digest(tmp_path / "plain.pt")


def test_an_archive_in_openais_form_is_read_with_quick_gelu_and_its_data_are_unknown(tmp_path: Path) -> None:
    openai_vit(tmp_path / "archive.pt", archive=True)
    found = opened(tmp_path / "archive.pt")
    assert (found.card["activation"], found.card["activation_from"]) == ("quick_gelu", "the form of OpenAI's files")
    assert found.card["extra_data"].startswith("unknown")


def test_openais_hashes_are_those_in_open_clips_table() -> None:
    import open_clip

    from tris_model.files.names import OPENAI_FILES

    table = {
        open_clip.get_pretrained_cfg(name, tag)["url"].split("/")[-2]
        for name, tag in open_clip.list_pretrained()
        if "openaipublic" in open_clip.get_pretrained_cfg(name, tag).get("url", "")
    }
    assert set(OPENAI_FILES.values()) == table
