"""The tiny CLIP with a vision transformer: its trainer, and the network that is shipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.stopping import stopping_at
from PIL import Image
from torch.nn.functional import interpolate, normalize

from baselines._clip.vit import SHIPPED, VitClip, VitConfig, load_vit
from baselines.clip_sim import Patches
from baselines.train.clip_vit import TABLE, VitRecipe, fit, start, summaries, tiles, train, views
from baselines.train.mosaic import show_tiled
from baselines.weights import pack
from risbench import DataError, UsageError, load_split
from risbench.masks import decode
from tris_model import load_clip, preprocess, tokenize
from tris_model.files.checkpoint import digest, read, write
from tris_model.tiny_clip import trainer
from tris_model.tiny_clip.lessons import Lesson, show
from tris_model.tiny_clip.pictures import Pictures, pictures
from tris_model.tiny_clip.trainer import word_ids
from tris_model.train.loop.journal import Stopped

CPU = torch.device("cpu")
RECIPE = VitRecipe(
    first=Lesson(steps=3, objects=8, scenes=0, side=32), second=Lesson(steps=3, objects=4, scenes=3, side=32),
    objects=12, scenes=12, mixed=1, freeze_text_steps=2, temperature_start=30.0, precision="float32", warmup=2,
    network=VitConfig(
        image_size=32, patch=8, stem=4, width=16, depth=2, heads=2, quick_gelu=False, text_length=20, context=20,
        text_width=16, text_depth=1, text_heads=2, embed=8,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip_vit")
    fit(RECIPE, folder, CPU)
    return folder


def curve(out: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (out / TABLE / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["questions"], line.get("sentences"), line["lr"]) for line in lines]


def test_a_stopped_training_goes_on_to_the_same_curve_and_weights(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "interruptible", stopping_at(4))
        with pytest.raises(Stopped, match="stopped at step 4 of 6"):
            fit(RECIPE, tmp_path, CPU)
    again = fit(RECIPE, tmp_path, CPU)
    assert curve(tmp_path) == curve(out)
    whole = read(out / "clip_vit.safetensors").state
    assert all(value.equal(whole[key]) for key, value in read(again).state.items())


def test_a_trained_network_is_read_back_and_can_be_gone_on_from(out: Path):
    network = load_vit(out / "clip_vit.safetensors")
    assert not network.training
    assert network.config == replace(RECIPE.network, trimmed=True, vocabulary=len(word_ids()) + 1)
    further = start(replace(RECIPE, start=str(out / "clip_vit.safetensors"))).state_dict()
    assert all(value.equal(further[key]) for key, value in network.state_dict().items())


def test_what_is_taught_is_what_rivals_ask(out: Path):
    network = load_vit(out / "clip_vit.safetensors")
    images = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        first, mean, values = summaries(network, network.visual.before_last(images))
        tokens = network.visual.blocks(network.visual.embed(images))
        torch.testing.assert_close(first, network.encode_image(images))
        torch.testing.assert_close(mean, network.visual.summary(tokens[:, 1:].mean(1)))
        # clip_sim's heat of the basis' texts is the patches' values, each of unit length.
        cosines = Patches(network.visual)(images, torch.eye(8))
    assert cosines.shape == (8, 4, 6)
    torch.testing.assert_close(cosines.square().sum(0), torch.ones(4, 6))
    assert values.shape == (1, 8)


def test_a_mosaics_tile_is_the_patches_that_lie_in_it(out: Path):
    network = load_vit(out / "clip_vit.safetensors")
    tokens = torch.zeros(2, 17, 16)
    tokens[:, 1:] = torch.arange(32).reshape(2, 16, 1)
    tokens[1, 0] = 99
    apart = tiles(tokens)[:, :, 0].tolist()
    assert apart[0] == [0, 0, 1, 4, 5]
    assert apart[3] == [0, 10, 11, 14, 15]
    assert apart[5] == [99, 18, 19, 22, 23]
    shown = show_tiled(*drawn(), Lesson(objects=8, scenes=1, side=32), 1, np.random.default_rng(0))
    for observed in views(network, torch.randn(4, 3, 32, 32), shown):
        assert observed.shape == (10, 8)


def drawn() -> tuple[Pictures, Pictures]:
    return pictures("objects", 12, 0, 32), pictures("scenes", 12, 1_000_000, 32)


def test_things_of_a_mosaic_lie_where_their_tiles_lie_and_sentences_follow_their_scenes():
    draw = np.random.default_rng(3)
    objects, scenes = drawn()
    shown = show_tiled(objects, scenes, Lesson(objects=8, scenes=3, side=32), 2, draw)
    assert shown.images.shape == (8, 32, 32, 3)
    assert shown.masks.shape == (8, 32, 32)
    assert (shown.masks[:2] == 1).all()
    assert len(shown.things) == 8 + 6
    for at, thing in enumerate(shown.things[:8]):
        assert ((thing.y > 0.5), (thing.x > 0.5)) == divmod(at % 4, 2)
    alone = show(objects, scenes, Lesson(objects=8, scenes=0, side=16), 0, np.random.default_rng(3))
    for at in range(8):
        row, column = divmod(at % 4, 2)
        tile = shown.images[at // 4, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert np.array_equal(tile, alone.images[at])
        assert shown.things[at].colour == alone.things[at].colour
    assert shown.sentences
    assert all(8 <= at < 14 for _, at in shown.sentences)


def test_attention_by_hand_is_the_fused_one(out: Path):
    network = load_vit(out / "clip_vit.safetensors")
    attention = network.visual.blocks[0].attn
    x = torch.randn(2, 7, 16)
    torch.testing.assert_close(attention.train()(x), attention.eval()(x))


def test_the_mean_picture_and_text_start_at_zero():
    network = start(RECIPE)
    images, tokens = torch.randn(6, 3, 24, 24), tokenize(["red circle", "a star", "the blue ring"])
    from baselines.train.clip_vit import _centre

    _centre(network, images, tokens)
    visual = network.visual
    with torch.no_grad():
        cells = visual.summary(visual.blocks(visual.embed(images)))
        torch.testing.assert_close(cells.mean((0, 1)), torch.zeros(8), atol=1e-5, rtol=0)
        torch.testing.assert_close(network.encode_text(tokens).mean(0), torch.zeros(8), atol=1e-5, rtol=0)


def test_a_recipe_names_the_near_keys_tables_and_recipes(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no key 'warmpu': did you mean 'warmup'"):
        train("shapes", out=tmp_path, warmpu="3")
    with pytest.raises(UsageError, match=r"network has no key 'pach': did you mean 'patch'"):
        train("shapes", out=tmp_path, **{"network.pach": "3"})
    with pytest.raises(UsageError, match="did you mean 'shapes'"):
        train("shape", out=tmp_path)
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
    with pytest.raises(UsageError, match=r"first.objects=30: give a multiple of 4"):
        train("shapes", out=tmp_path, **{"first.objects": "30"})
    with pytest.raises(UsageError, match=r"second.side=100: give a multiple of 16"):
        train("shapes", out=tmp_path, **{"second.side": "100"})
    (tmp_path / "other.toml").write_text("[clip]\n")
    with pytest.raises(UsageError, match=r"no table \[clip_vit\]: shapes"):
        train(str(tmp_path / "other.toml"), out=tmp_path)
    assert train.recipes == ("shapes",)


def test_files_of_other_networks_are_refused_by_name(out: Path, tmp_path: Path):
    held = read(out / "clip_vit.safetensors")
    clip = load_clip("shapes")
    write(clip.state_dict(), tmp_path / "clip.safetensors", {"config": clip.config.to_json()})
    write(held.state, tmp_path / "mute.safetensors", {})
    less = {key: value for key, value in held.state.items() if key != "logit_scale"}
    write(less, tmp_path / "less.safetensors", {"config": held.metadata["config"]})
    with pytest.raises(DataError, match="of another network"):
        load_vit(tmp_path / "clip.safetensors")
    with pytest.raises(DataError, match="does not say its sizes"):
        load_vit(tmp_path / "mute.safetensors")
    with pytest.raises(DataError, match=r"1 missing \(logit_scale\)"):
        load_vit(tmp_path / "less.safetensors")
    with pytest.raises(UsageError, match="there is no weights file"):
        load_vit(tmp_path / "absent.safetensors")
    with pytest.raises(DataError, match="is a folder"):
        load_vit(tmp_path)


def test_packing_halves_the_file_and_the_card_tells_how_it_was_made(out: Path, tmp_path: Path):
    made = pack.pack("clip_vit", out, tmp_path)
    file = tmp_path / "shapes_clip_vit.safetensors"
    assert made == json.loads((tmp_path / "clip_vit.json").read_text())
    assert made["files"][file.name]["sha256"] == digest(file)
    assert made["files"][file.name]["made_from_sha256"] == digest(out / "clip_vit.safetensors")
    assert made["recipe"]["second"]["steps"] == 3
    assert made["seed"] == 0
    assert made["training"]["steps"] == 6
    assert {"command", "commit", "machine", "started"} <= set(made["training"]["starts"][0])
    whole, packed = load_vit(out / "clip_vit.safetensors"), load_vit(file)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(packed.encode_image(images), whole.encode_image(images), atol=0.02, rtol=0.02)
    pack.pack("clip_vit", out, tmp_path / "again")
    assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_an_unfinished_training_is_not_packed(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    result = CliRunner().invoke(pack.main, ["clip_vit", str(tmp_path), "--box", str(tmp_path / "box")])
    assert result.exit_code == 1
    assert "is not a finished training: it has no clip_vit.safetensors" in result.output
    monkeypatch.setattr(pack, "MOST", 1000)
    with pytest.raises(DataError, match="at most 1,000 bytes"):
        pack.pack("clip_vit", out, tmp_path / "box")
    assert list((tmp_path / "box").iterdir()) == []


@pytest.fixture(scope="module")
def shipped() -> VitClip:
    return load_vit("shapes")


def test_the_shipped_file_is_that_of_its_card_and_holds_drawn_words_only(shipped: VitClip):
    card = json.loads((SHIPPED.parent / "clip_vit.json").read_text())
    assert card["files"][SHIPPED.name]["sha256"] == digest(SHIPPED)
    assert SHIPPED.stat().st_size == card["files"][SHIPPED.name]["bytes"] <= 4_000_000
    assert shipped.token_ids is not None
    assert shipped.token_ids.equal(word_ids())
    assert shipped.config.vocabulary == len(word_ids()) + 1
    assert card["training"]["minutes"] > 0
    assert card["training"]["starts"][0]["machine"]
    assert VitConfig(**card["recipe"]["network"]) == replace(
        shipped.config, trimmed=False, vocabulary=VitConfig().vocabulary
    )


def test_the_shipped_one_tells_objects_apart_by_either_summary_and_points_at_them(shipped: VitClip):
    split = load_split("shapes_val").first_images(8)
    hits, pointed, chance = {"class": [], "mean": []}, [], []
    for samples in split.by_image():
        objects = split.objects(samples[0].image_id)
        image = preprocess(np.asarray(Image.open(samples[0].image_path).convert("RGB")), 96)
        masks = torch.from_numpy(np.stack([np.any([decode(part) for part in one.parts], axis=0) for one in objects]))
        alone = interpolate(masks[None].float(), (96, 96), mode="area")[0, :, None] * image
        with torch.no_grad():
            texts = normalize(shipped.encode_text(tokenize([one.text for one in samples])), dim=1)
            first, mean, _ = summaries(shipped, shipped.visual.before_last(alone))
            heats = Patches(shipped.visual)(image[None], texts)
        heats = interpolate(heats[:, None], masks.shape[1:], mode="bilinear")[:, 0].flatten(1).argmax(1)
        for at, sample in enumerate(samples):
            target = next(place for place, one in enumerate(objects) if one.parts == sample.parts)
            for way, observed in (("class", first), ("mean", mean)):
                hits[way].append(int((normalize(observed, dim=1) @ texts[at]).argmax()) == target)
            pointed.append(bool(masks[target].flatten()[heats[at]]))
            chance.append(1 / len(objects))
    assert np.mean(chance) < 0.35
    assert np.mean(hits["class"]) > 0.65
    assert np.mean(hits["mean"]) > 0.65
    assert np.mean(pointed) > 0.2  # an object covers 6 % of its picture
