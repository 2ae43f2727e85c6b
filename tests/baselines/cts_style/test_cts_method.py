"""The method cts_style and its file: TRIS's segmentation network, one answer a text, one line for each error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cts_styles import SMALL, made_up_networks, write_networks
from PIL import Image
from safetensors.torch import load_file

import baselines.cts_style
import tris_model
from baselines.cts_style.method import CARD, CtsStyle, make
from baselines.cts_style.networks import TwoNetworks, segment
from baselines.cts_style.weights_file import metadata_of, open_weights
from baselines.weights.pack import pack
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from tris_model import Config, Stage2, digest, tokenize
from tris_model.config import STAGE2
from tris_model.files import read, write

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
TEXTS = ["the red star", "blue square on the left", "a"]


@pytest.fixture(scope="module")
def networks() -> TwoNetworks:
    return made_up_networks()


@pytest.fixture(scope="module")
def weights(networks: TwoNetworks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_networks(networks, tmp_path_factory.mktemp("weights") / "cts_style.safetensors")


@pytest.fixture(scope="module")
def method(weights: Path) -> CtsStyle:
    return make(weights=str(weights))


def probabilities(network: Stage2, texts: list[str]) -> torch.Tensor:
    """Of each text alone, by the network's own forward pass."""
    squashed = np.asarray(Image.fromarray(PICTURE).resize((32, 32), Image.Resampling.BILINEAR))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(((squashed / 255 - mean) / deviation).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        each = [torch.sigmoid(network(pixels, tokenize([text], length=12))) for text in texts]  # type: ignore[arg-type]
    return torch.cat(each)[:, 0]


@pytest.mark.parametrize("answer", ["first", "second", "mean"])
def test_a_heat_is_the_probability_of_the_network_that_answers(weights: Path, networks: TwoNetworks, answer: str):
    assert networks.second is not None
    first, second = probabilities(networks.first, TEXTS), probabilities(networks.second, TEXTS)
    expected = {"first": first, "second": second, "mean": (first + second) / 2}[answer]
    found = make(weights=str(weights), answer=answer, threshold=0.4).predict(PICTURE, TEXTS)  # type: ignore[arg-type]
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.heat, wanted, atol=1e-5)
        large = torch.nn.functional.interpolate(wanted[None, None], size=(60, 90), mode="bilinear")[0, 0]
        assert (one.mask == (large > 0.4).numpy()).mean() > 0.999


def test_the_training_pass_with_a_shared_image_is_that_of_tris_for_each_pair(networks: TwoNetworks):
    torch.manual_seed(1)
    images, tokens = torch.randn(2, 3, 32, 32), tokenize(["a", "b c", "the star"], length=12)
    which = torch.tensor([0, 0, 1])
    with torch.inference_mode():
        found = segment(networks.first, images, tokens, which)
        heads = networks.first.train(False)
        expected = heads(images[which], tokens)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)
    assert all(level.shape == (3, 1, 32, 32) for level in found)


def test_the_method_keeps_its_contract_and_answers_any_size_and_text(method: CtsStyle):
    findings = check_method(method, load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []
    for size in ((1, 1), (16, 5000), (7, 3)):
        answers = method.predict(np.zeros((*size, 3), np.uint8), ["", "word " * 200])
        assert all(one.mask.shape == size and np.isfinite(one.heat).all() for one in answers)
    assert method.predict(PICTURE, []) == []
    texts = [f"star number {number}" for number in range(19)]
    together = method.predict(PICTURE, texts)
    for text, one in zip(texts[::6], together[::6], strict=True):
        np.testing.assert_allclose(method.predict(PICTURE, [text])[0].heat, one.heat, atol=1e-5)


def test_the_card_says_that_this_is_not_the_authors_code(method: CtsStyle, weights: Path):
    assert CARD["supervision"] == "box"
    assert "not the authors' code" in CARD["code"]
    assert "not the authors' code" in CARD["note"]
    assert method.card["weights"] == digest(weights)
    assert (method.card["trained_on"], method.card["answer"]) == ("drawn scenes", "first")
    assert method.parameter_count == sum(weight.numel() for weight in made_up_networks().first.parameters())


def test_the_layout_is_tris_stage_2_twice():
    with torch.device("meta"):
        state = TwoNetworks(Stage2(STAGE2), Stage2(STAGE2)).state_dict()
    assert len(state) == 2 * 625
    assert {key.partition(".")[0] for key in state} == {"first", "second"}
    assert state["second.reduced_c4.conv.weight"].shape == (512, 2048, 3, 3)


def test_a_file_of_one_network_answers_as_both_and_has_no_mean(weights: Path, networks: TwoNetworks, tmp_path: Path):
    one = write_networks(networks, tmp_path / "one.safetensors", only_first=True)
    alone, both = baselines.cts_style.load(one), baselines.cts_style.load(weights)
    assert alone.second is None
    assert both.second is not None
    assert all(value.equal(both.first.state_dict()[key]) for key, value in alone.first.state_dict().items())
    with pytest.raises(UsageError, match=r"answer=mean: .* holds one network, the first; leave answer out"):
        make(weights=str(one), answer="mean")


def test_packing_leaves_out_the_peer_and_a_text_encoder_that_stood_still(tmp_path: Path):
    clip = tris_model.load_clip("shapes")
    config = Config(**{**json.loads(clip.config.to_json()), "stage": 2, "hidden": 0, "decoder": 2, "pool_grid": 0,
                       "depth": tuple(clip.config.depth)})  # fmt: skip
    networks = made_up_networks(config)
    for network in (networks.first, networks.second):
        assert network is not None
        text = {key: value for key, value in clip.state_dict().items() if not key.startswith("visual.")}
        network.backbone.load_state_dict(text, strict=False)
    out = tmp_path / "out"
    (out / "cts_style").mkdir(parents=True)
    (out / "cts_style" / "log.jsonl").write_text('{"step": 0, "loss": 1.0, "seconds": 1.0}\n')
    metadata = metadata_of(config, "shapes", text_learns=False)
    recipe = '{"split": "shapes_train", "seed": 0}'
    write(networks.state_dict(), out / "cts_style.safetensors", {**metadata, "recipe": recipe})
    pack("cts_style", out, tmp_path / "box")
    packed = tmp_path / "box" / "shapes_cts_style.safetensors"
    keys = load_file(packed).keys()
    assert not [key for key in keys if key.startswith(("second.", "first.backbone.transformer."))]
    found = baselines.cts_style.load(packed)
    for key, value in networks.first.state_dict().items():
        torch.testing.assert_close(found.first.state_dict()[key], value, atol=1e-3, rtol=2e-3)
    held = read(packed)
    write(held.state, packed, {**held.metadata, "text_clip_sha256": "0" * 64})
    with pytest.raises(DataError, match="holds no text encoder but refers to the CLIP 'shapes' of its time"):
        baselines.cts_style.load(packed)


def test_files_that_do_not_fit_are_named(networks: TwoNetworks, weights: Path, tmp_path: Path):
    state = networks.state_dict()

    def refused(path: Path | str, words: str, kind: type[Exception] = DataError) -> None:
        with pytest.raises(kind, match=words) as caught:
            baselines.cts_style.load(path)
        assert "\n" not in str(caught.value)

    config = {"config": SMALL.to_json()}
    write({f"module.{key}": value for key, value in state.items()}, tmp_path / "wrapped.pth", config)
    assert baselines.cts_style.load(tmp_path / "wrapped.pth").config == SMALL
    write(networks.first.state_dict(), tmp_path / "tris.safetensors", config)
    refused(tmp_path / "tris.safetensors", r"is a checkpoint of TRIS \(--method tris\), and none of cts_style")
    write({"E.Org_model.0.weight": torch.ones(2)}, tmp_path / "wwbl.safetensors", {})
    refused(tmp_path / "wwbl.safetensors", r"is a checkpoint of WWbL \(--method wwbl\), and none of cts_style")
    cut = {key: value for key, value in state.items() if not key.endswith("attention3.Wq.weight")}
    write(cut, tmp_path / "cut.safetensors", config)
    refused(tmp_path / "cut.safetensors", re.escape("2 missing (first.attention3.Wq.weight, second.attention3.Wq"))
    other = {**state, "first.attention3.Wq.weight": torch.ones(3, 3)}
    write(other, tmp_path / "shape.safetensors", config)
    refused(tmp_path / "shape.safetensors", "1 of the wrong shape")
    (tmp_path / "half.safetensors").write_bytes(weights.read_bytes()[:3000])
    refused(tmp_path / "half.safetensors", "broken or incomplete")
    write(state, tmp_path / "odd.safetensors", {"config": "{}"})
    refused(tmp_path / "odd.safetensors", "its config is not that of a segmentation network")
    for part, value in (("text_depth", 10**9), ("width", "x"), ("depth", [1, 1])):
        write(state, tmp_path / "odd.safetensors", {"config": json.dumps({**json.loads(SMALL.to_json()), part: value})})
        refused(tmp_path / "odd.safetensors", "its config is not that of a segmentation network")
    cut = {key: value for key, value in state.items() if "ln_final" not in key and not key.startswith("second.")}
    write(cut, tmp_path / "odd.safetensors", {**config, "text_clip": "/etc/passwd"})
    refused(tmp_path / "odd.safetensors", "refers to a CLIP '/etc/passwd' that is not shipped")
    refused(tmp_path / "none.safetensors", "cts_style needs weights, and its authors published none", UsageError)
    with pytest.raises(UsageError, match="cts_style needs weights"):
        make(split="refcoco_val")
    with pytest.raises(UsageError, match=r"threshold=1\.0: give"):
        make(weights=str(weights), threshold=1.0)
    with pytest.raises(UsageError, match="answer=both: give"):
        make(weights=str(weights), answer="both")  # type: ignore[arg-type]


def test_a_pickle_that_carries_code_is_refused_and_nothing_runs(tmp_path: Path):
    import os

    class Runs:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"first.attention2.Wk.weight": torch.ones(1), "more": Runs()}, tmp_path / "bad.pth")
    with pytest.raises(DataError) as caught:
        baselines.cts_style.load(tmp_path / "bad.pth")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_tris_does_not_take_a_network_that_learnt_from_boxes_for_its_own(
    weights: Path, networks: TwoNetworks, tmp_path: Path
):
    one = write_networks(networks, tmp_path / "one.safetensors", only_first=True)
    with pytest.raises(DataError, match="is a network of cts_style; give it to --method cts_style"):
        tris_model.load(one)
    with pytest.raises(DataError):
        tris_model.load(weights)
    assert open_weights(one).trained_on == "drawn scenes"
