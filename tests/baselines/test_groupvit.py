"""groupvit: transformers' network under our post-processing, from files in every layout."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.groupvits import SMALL, WORDS, authors_state, folder_of, network, tiny_groupvit

from baselines.groupvit import weights_file
from baselines.groupvit.features import GroupFeatures, encode_image, encode_texts, pixels_of
from baselines.groupvit.method import CARD, make
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from tris_model import digest, tokenize

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
SQUARE = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def made() -> Any:
    return network()


@pytest.fixture(scope="module")
def folder(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(made, tmp_path_factory.mktemp("hf") / "groupvit")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_groupvit(tmp_path_factory.mktemp("ours") / "tiny.safetensors"))


def test_at_the_trained_size_groups_texts_and_logits_are_transformers_own(made: Any):
    pixels = pixels_of(SQUARE, 48, 8)
    tokens = tokenize(WORDS, keep_end=True, length=77)
    with torch.inference_mode():
        theirs = made(input_ids=tokens, pixel_values=pixels[None], output_segmentation=True)
        observed, result = encode_image(made, pixels), encode_texts(made, WORDS, None)
        scale = made.logit_scale.exp()
        large = torch.nn.functional.interpolate(observed.maps[None], size=(48, 48), mode="bilinear")[0]
        # theirs multiplies by the temperature twice
        logits = torch.einsum("tg,ghw->thw", result @ observed.groups.T * scale * scale, large)
    torch.testing.assert_close(result, theirs.text_embeds, atol=1e-6, rtol=0)
    torch.testing.assert_close(observed.whole, theirs.image_embeds[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(result @ observed.whole * scale, theirs.logits_per_text[:, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, theirs.segmentation_logits[0], atol=2e-3, rtol=0)
    assert logits.std() > 10  # or the comparison would be one of zeros


def test_another_size_gives_another_grid_whose_maps_share_each_patch_among_the_groups(made: Any):
    with torch.inference_mode():
        observed = encode_image(made, pixels_of(PICTURE, 80, 8))
    assert observed.maps.shape == (5, 10, 15)
    torch.testing.assert_close(observed.maps.sum(0), torch.ones(10, 15))


def test_a_text_is_the_same_in_any_company_and_a_long_one_keeps_its_end(made: Any):
    long = "a very " * 60 + "red circle"
    with torch.inference_mode():
        alone, together = encode_texts(made, ["a dog"], None), encode_texts(made, [long, "", "a dog"], None)
        cut = made.text_model(input_ids=tokenize([long], keep_end=True, length=77)).pooler_output
        cut = torch.nn.functional.normalize(made.text_projection(cut), dim=1)
    torch.testing.assert_close(together[2:], alone)
    torch.testing.assert_close(together[:1], cut)


@pytest.mark.parametrize("layout", ["safetensors", "pickle", "authors", "configured"])
def test_every_layout_gives_the_same_network(made: Any, folder: Path, tmp_path: Path, layout: str):
    path = folder if layout == "safetensors" else tmp_path / "groupvit.pth"
    if layout == "pickle":
        path = folder_of(made, tmp_path / "old", pickled=True)
    elif layout == "authors":
        torch.save({"model": authors_state(made), "epoch": 30}, path)
    elif layout == "configured":
        _save_with_a_config(authors_state(made), path)
    loaded = weights_file.load(path)
    for key, value in made.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[key], value), key
    assert (loaded.token_ids, loaded.tiny) == (None, False)
    file = path / ("model.safetensors" if layout == "safetensors" else "pytorch_model.bin") if path.is_dir() else path
    assert loaded.digest == digest(file)
    with torch.inference_mode():
        pixels = pixels_of(PICTURE, 80, 8)
        for one, other in zip(encode_image(made, pixels), encode_image(loaded.network, pixels), strict=True):
            torch.testing.assert_close(one, other)
        torch.testing.assert_close(encode_texts(made, WORDS, None), encode_texts(loaded.network, WORDS, None))


def _save_with_a_config(state: dict[str, Any], path: Path) -> None:
    """A checkpoint with the configuration object of a library that is not installed here."""
    package, module = types.ModuleType("omegaconf"), types.ModuleType("omegaconf.dictconfig")
    kind: Any = type("DictConfig", (), {"__module__": module.__name__})
    setattr(module, kind.__name__, kind)
    config = kind()
    config.base_lr = 0.1
    names = {package.__name__: package, module.__name__: module}
    sys.modules.update(names)
    try:
        torch.save({"model": state, "config": config}, path)
    finally:
        for name in names:
            del sys.modules[name]


def test_weights_that_do_not_fit_are_named(made: Any, folder: Path, tmp_path: Path):
    state = authors_state(made)
    path = tmp_path / "cut.pth"
    wrong = {key: value for key, value in state.items() if key != "img_encoder.norm.bias"}
    wrong["text_encoder.ln_final.weight"] = torch.zeros(7)
    torch.save({"model": {**wrong, "img_encoder.extra": torch.zeros(1)}}, path)
    with pytest.raises(DataError, match=r"1 missing \(vision_model.layernorm.bias\).*1 unexpected.*extra.*wrong shape"):
        weights_file.load(path)
    torch.save({"model": {"visual.conv1.weight": torch.zeros(3)}}, path)
    with pytest.raises(DataError, match=r"is not a whole GroupViT \(its first keys: visual.conv1.weight\)"):
        weights_file.load(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no config.json with model.safetensors or"):
        weights_file.load(tmp_path / "empty")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "other/model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"configuration of clip, not of a GroupViT"):
        weights_file.load(tmp_path / "other")
    (tmp_path / "alone.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"does not say its sizes; give its folder"):
        weights_file.load(tmp_path / "alone.safetensors")


class _Runs:
    def __reduce__(self) -> Any:
        return (print, ("it ran",))


def test_a_checkpoint_that_would_run_code_is_not_opened(made: Any, tmp_path: Path, capsys: Any):
    torch.save({"model": authors_state(made), "config": _Runs()}, tmp_path / "bad.pth")
    with pytest.raises(DataError, match="would run code"):
        weights_file.load(tmp_path / "bad.pth")
    assert "it ran" not in capsys.readouterr().out


def test_the_hub_is_asked_for_an_id_that_was_named_and_for_nothing_else(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import huggingface_hub
    from huggingface_hub import errors
    from huggingface_hub.errors import LocalEntryNotFoundError

    # Before huggingface_hub 1.0 the one that is not local had no name of its own.
    absent: Any = getattr(errors, "RemoteEntryNotFoundError", errors.EntryNotFoundError)

    requested: list[tuple[str, str]] = []

    def download(place: str, name: str) -> str:
        requested.append((place, name))
        if place == "away/away":
            raise LocalEntryNotFoundError("outgoing traffic has been disabled\nand more lines")
        if not (folder / name).exists():
            raise absent(name, response=types.SimpleNamespace(headers={}, request=None))
        return str(folder / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    make(weights=str(folder))
    for mistyped in ("weights/absent", "absent/groupvit.pth", str(tmp_path / "absent"), "groupvit-gcc-yfcc"):
        with pytest.raises(UsageError, match="there is no weights file"):
            make(weights=mistyped)
    for split in (None, "refcoco_val"):
        with pytest.raises(UsageError, match=r"pass --weights nvidia/groupvit-gcc-yfcc.*--weights shapes"):
            make(split=split)
    assert requested == []
    assert make(weights="nvidia/groupvit-gcc-yfcc").card["weights"] == digest(folder / "model.safetensors")
    assert requested == [("nvidia/groupvit-gcc-yfcc", "config.json"), ("nvidia/groupvit-gcc-yfcc", "model.safetensors")]
    with pytest.raises(DataError, match=r"^away/away cannot be fetched .* \(outgoing traffic has been disabled\)"):
        make(weights="away/away")


def test_a_missing_extra_is_one_line_that_says_how_to_install_it(tiny: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r'^groupvit needs transformers: pip install "risbench\[groupvit\]"$'):
        make(weights=tiny)


@pytest.mark.parametrize(
    "options",
    [{"reading": "raw"}, {}, {"reading": "competitors"}, {"reading": "competitors", "threshold": 0.5}],
)
def test_it_keeps_the_contract_of_a_method(tiny: str, shared_cache: Path, options: dict[str, Any]):
    findings = check_method(make(weights=tiny, **options), load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []


@pytest.mark.parametrize("size", [(1, 1), (16, 5000), (5000, 16)])
def test_images_of_any_form_are_answered(tiny: str, size: tuple[int, int]):
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    for answer in make(weights=tiny).predict(image, [*WORDS, "", "the " * 300]):
        assert answer.mask.shape == size
        assert answer.heat.dtype == np.float32
        assert max(answer.heat.shape) <= 2048 // 8


def test_the_image_is_seen_once_and_a_text_read_once(tiny: str):
    method = make(weights=tiny, reading="competitors", competitors="shapes,dog,cat")
    observed: list[int] = []
    read_: list[int] = []
    method._network.vision_model.embeddings.register_forward_hook(lambda _m, given, _o: observed.append(len(given[0])))
    method._network.text_projection.register_forward_hook(lambda _m, given, _o: read_.append(len(given[0])))
    for _ in range(2):
        answers = method.predict(PICTURE, [*WORDS, *WORDS])
    assert observed == [1, 1]
    assert read_ == [3, 10, 3]  # the ten competitors once for all images
    assert answers[0] is answers[3]
    assert method.predict(PICTURE, []) == []


def _two_groups(monkeypatch: pytest.MonkeyPatch) -> GroupFeatures:
    """A hand-made image: left half and right half, the last group holds nothing."""
    left = torch.tensor([[0.9, 0.8, 0.1, 0.0]]).expand(2, 4)
    maps = torch.stack([left, 0.9 - left, torch.full((2, 4), 0.1)])
    observed = GroupFeatures(maps, torch.eye(3), torch.tensor([0.6, 0.8, 0.0]))
    monkeypatch.setattr("baselines.groupvit.features.encode_image", lambda *_: observed)
    return observed


def _saying(monkeypatch: pytest.MonkeyPatch, result: dict[str, list[float]]) -> None:
    monkeypatch.setattr(
        "baselines.groupvit.features.encode_texts",
        lambda _network, texts, _ids: torch.tensor([result[text] for text in texts]),
    )


def test_raw_takes_the_best_group_that_holds_a_pixel(tiny: str, monkeypatch: pytest.MonkeyPatch):
    observed = _two_groups(monkeypatch)
    _saying(monkeypatch, {"a": [0.5, 0.25, 0.9], "b": [-0.5, -0.1, -0.2]})
    one, other = make(weights=tiny, reading="raw").predict(np.zeros((4, 8, 3), np.uint8), ["a", "b"])
    columns = np.arange(8)[None].repeat(4, 0)
    assert np.array_equal(one.mask, columns < 4)
    assert np.array_equal(other.mask, columns >= 4)
    expected = 0.5 * observed.maps[0] + 0.25 * observed.maps[1] + 0.9 * observed.maps[2]
    np.testing.assert_allclose(one.heat, expected / expected.max(), atol=1e-6)
    assert not other.heat.any()  # a cosine below 0 weighs nothing


def test_topk_takes_all_groups_within_delta_of_the_best(tiny: str, monkeypatch: pytest.MonkeyPatch):
    observed = _two_groups(monkeypatch)
    _saying(monkeypatch, {"a": [0.5, 0.25, 0.0]})
    image = np.zeros((4, 8, 3), np.uint8)
    (narrow,) = make(weights=tiny, reading="topk", delta=0.2).predict(image, ["a"])
    (wide,) = make(weights=tiny, reading="topk", delta=0.25).predict(image, ["a"])
    assert narrow.mask.sum() == 16
    np.testing.assert_allclose(narrow.heat, observed.maps[0] / observed.maps[0].max(), atol=1e-6)
    assert wide.mask.all()


def test_competitors_take_the_groups_that_the_others_do_not(tiny: str, monkeypatch: pytest.MonkeyPatch):
    _two_groups(monkeypatch)
    result = {"a dog": [0.9, 0.1, 0.1], "sky": [0.1, 0.9, 0.1], "dog": [1.0, 1.0, 1.0]}
    _saying(monkeypatch, result)
    image = np.zeros((4, 8, 3), np.uint8)
    method = make(weights=tiny, reading="competitors", competitors="dog,sky")
    (answer,) = method.predict(image, ["a dog"])  # "dog" is what it names itself
    assert np.array_equal(answer.mask, np.arange(8)[None].repeat(4, 0) < 4)
    assert answer.heat[:, 0].min() > 0.9 > 0.2 > answer.heat[:, 3].max()
    (alone,) = make(weights=tiny, reading="competitors", competitors="dog").predict(image, ["a dog"])
    (raw,) = make(weights=tiny, reading="raw").predict(image, ["a dog"])
    assert np.array_equal(alone.mask, raw.mask)  # nothing competes: read raw
    assert np.array_equal(alone.heat, raw.heat)


def test_siblings_are_the_expressions_about_other_objects(tiny: str, monkeypatch: pytest.MonkeyPatch):
    _two_groups(monkeypatch)
    result = {"a": [0.9, 0.1, 0.1], "a too": [0.9, 0.2, 0.1], "b": [0.1, 0.9, 0.1]}
    _saying(monkeypatch, result)
    method = make(weights=tiny, reading="competitors", competitors="siblings")
    assert (method.card["reads"], method.card["competitors"]) == (("refs",), "siblings")
    samples: Any = [types.SimpleNamespace(ref_id=ref) for ref in (1, 1, 2)]
    image = np.zeros((4, 8, 3), np.uint8)
    columns = np.arange(8)[None].repeat(4, 0)
    one, too, other = method.predict(image, list(result), samples=samples)
    assert np.array_equal(one.mask, columns < 4)
    assert np.array_equal(too.mask, columns < 4)  # it does not compete with the other name of its object
    assert np.array_equal(other.mask, columns >= 4)
    with pytest.raises(UsageError, match="needs samples="):
        method.predict(image, ["a"])


def test_the_card_says_what_decides_the_answer(tiny: str, folder: Path):
    card = make(weights=str(folder)).card
    assert (card["reading"], card["size"], card["threshold"], card["reads"]) == ("topk", 448, None, ())
    assert "non-commercial" in card["licence"]
    ours = make(weights=tiny, reading="competitors", threshold=0.4)
    assert (ours.card["competitors"], ours.card["size"], ours.card["threshold"]) == ("shapes", 48, 0.4)
    assert ours.card["weights"] == digest(Path(tiny))
    assert "drawn scenes" in ours.card["extra_data"]
    assert make(weights=str(folder), reading="competitors").card["competitors"] == "coco"
    assert ours.parameter_count == sum(weight.numel() for weight in weights_file.load(tiny).network.parameters())
    assert make.card is CARD
    json.dumps({key: list(value) if isinstance(value, tuple) else value for key, value in card.items()})


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"competitors": " , "}, "competitors is empty"),
        ({"delta": -1.0}, "delta=-1"),
        ({"background": 1.5}, "background=1.5"),
        ({"threshold": 1.0}, "threshold=1"),
        ({"top": 0}, "top=0"),
        ({"size": 4}, "size=4: give at least 8, the side of a patch in pixels"),
        ({"prompt": "a photo"}, "for the expression"),
        ({"reading": "best"}, "give raw, competitors or topk"),
    ],
)
def test_options_that_make_no_sense_are_one_line(tiny: str, options: dict[str, Any], line: str):
    with pytest.raises(UsageError, match=line):
        make(weights=tiny, **options)


def test_a_prompt_stands_round_every_text(tiny: str):
    plain, prompted = make(weights=tiny), make(weights=tiny, prompt="the {} on the left")
    (one,) = plain.predict(PICTURE, ["the red circle on the left"])
    (other,) = prompted.predict(PICTURE, ["red circle"])
    assert np.array_equal(one.heat, other.heat)


def test_words_that_ours_does_not_know_share_a_row(tiny: str):
    loaded = weights_file.load(tiny)
    with torch.inference_mode():
        known, other, third = encode_texts(loaded.network, ["a dog", "a zebra", "a giraffe"], loaded.token_ids)
    assert SMALL["projection_dim"] == len(known)
    assert not torch.allclose(known, other)
    torch.testing.assert_close(other, third)
