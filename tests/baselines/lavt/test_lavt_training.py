"""LAVT's training: what learns and how fast, what a step sees, and that a stopped one goes on to the same weights."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lavts import SMALL, WORDS, lavt
from helpers.stopping import stopping_at

from baselines.lavt import load
from baselines.lavt.network import Lavt
from baselines.lavt.optimiser import adamw, freeze
from baselines.lavt.sizes import LavtSizes
from baselines.lavt.start import started, vocabulary_of
from baselines.lavt.train import FOLDER, TABLE, LavtRecipe, LavtTrainer, RefsTogether, resized_mask, shortest, train
from baselines.train import fitting
from risbench import DataError, UsageError, load_split
from risbench.masks import decode
from tris_model.files import read
from tris_model.train import Refs, one
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")
TINY = LavtSizes(
    image_size=40, embed=8, depths=(1, 2, 1, 1), heads=(1, 1, 2, 2), window=3, mlp=1.0, decoder=6, drop_path=0.2,
    text_length=12, bert=replace(SMALL.bert, width=16, heads=2),
)  # fmt: skip
RECIPE = LavtRecipe(
    split="shapes_val", batch=4, epochs=2, limit=4, network=TINY, lr=1e-3, bert_learns="all", mirror=True, short=2,
    together=True, by_width=True,
)  # fmt: skip


def fit(recipe: LavtRecipe, out: Path) -> Path:
    return fitting.fit("lavt", recipe, lambda: LavtTrainer(recipe, CPU), out, CPU)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = read(fit(RECIPE, tmp_path / "whole")).state
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "interruptible", stopping_at(2))
        with pytest.raises(Stopped, match="stopped at step 3 of"):
            fit(RECIPE, tmp_path / "cut")
    again = read(fit(RECIPE, tmp_path / "cut"))
    assert all(value.equal(whole[key]) for key, value in again.state.items())
    network = load(tmp_path / "cut" / "lavt.safetensors")
    assert network.sizes == replace(TINY, bert=network.sizes.bert)
    assert json.loads(again.metadata["vocabulary"])[:5] == list(WORDS[:5])
    log = (tmp_path / "cut" / "lavt" / "log.jsonl").read_text().splitlines()
    rates = [json.loads(line)["lr"] for line in log]
    assert rates == pytest.approx([1e-3 * (1 - step / len(log)) ** 0.9 for step in range(len(log))], rel=1e-4)


def test_the_groups_are_the_authors():
    with torch.device("meta"):
        network = Lavt(LavtSizes())
    freeze(network, "ten")
    groups = adamw(network, 5e-5, 1e-2).param_groups
    # The file's 253 tensors of the second group less the last gate's two, which never have a gradient.
    assert [len(group["params"]) for group in groups] == [136, 251, 20, 160]
    assert [group["weight_decay"] for group in groups] == [0, 0.01, 0.01, 0.01]
    assert all(group["lr"] == group["initial_lr"] == 5e-5 for group in groups)
    still = [name for name, weight in network.named_parameters() if not weight.requires_grad]
    assert len(still) == 5 + 2 * 16 + 2
    assert {name.split(".")[3] for name in still if "encoder.layer" in name} == {"10", "11"}


def test_the_authors_settings_are_the_defaults_of_the_recipe():
    recipe = one(LavtRecipe, "refcoco", TABLE, {}, FOLDER)
    assert recipe.network == LavtSizes()
    assert (recipe.lr, recipe.weight_decay, recipe.power, recipe.warmup, recipe.epochs) == (5e-5, 1e-2, 0.9, 0, 40)
    assert (recipe.background, recipe.target, recipe.bert_learns, recipe.mirror) == (0.9, 1.1, "ten", False)
    assert (recipe.batch, recipe.clip, recipe.precision, recipe.together, recipe.short) == (32, 0, "float32", False, 0)
    assert one(LavtRecipe, "refcoco_one", TABLE, {}, FOLDER).network == replace(LavtSizes(), one=True)


def test_what_must_not_learn_does_not_and_all_else_has_a_gradient():
    recipe = replace(RECIPE, bert_learns="ten")
    trainer = LavtTrainer(recipe, CPU)
    assert not trainer.network.text_encoder.training
    terms, images = trainer.losses(trainer.network, trainer.start(0), 0)
    terms["loss"].backward()
    assert images == 4
    without = {name for name, weight in trainer.network.named_parameters() if weight.grad is None}
    assert {name.split(".")[1] for name in without if name.startswith("text_encoder")} == {"embeddings"}
    assert {name for name in without if not name.startswith("text_encoder")} == {
        "backbone.layers.3.res_gate.0.weight", "backbone.layers.3.res_gate.2.weight",
    }  # fmt: skip


def test_a_step_shows_masks_that_belong_to_its_images_and_sentences_mirrored_alike():
    recipe = replace(RECIPE, short=0)
    trainer, split = LavtTrainer(recipe, CPU), load_split("shapes_val").first_images(4)
    batch, pending = trainer.start(0)
    refs = RefsTogether(split)
    masks = trainer._masks.take(pending)
    samples = {sample.ref_id: sample for sample in split}
    for at, mask in zip(batch.refs, masks, strict=True):
        sample = samples[refs.ids[at]]
        assert np.array_equal(mask, resized_mask(np.sum([decode(part) for part in sample.parts], axis=0) == 1, 40))
    assert trainer.an_epoch == len(refs) // 4


def test_pixels_that_two_parts_cover_are_background_and_masks_shrink_to_the_nearest_pixel():
    mask = np.zeros((4, 8), bool)
    mask[:2, :4] = True
    assert resized_mask(mask, 2).tolist() == [[True, False], [False, False]]


def test_refs_of_an_image_follow_one_another_and_every_ref_is_shown_once():
    refs = RefsTogether(load_split("shapes_val").first_images(6))
    order = refs.order(0, 0)
    assert sorted(order) == list(range(len(refs)))
    images = [refs.refs[at].image for at in order]
    assert sum(one != other for one, other in pairwise(images)) == 5
    assert not np.array_equal(order, refs.order(0, 1))
    assert all(len(ref.texts) == 1 for ref in shortest(refs).refs)
    for ref, short in zip(refs.refs, shortest(refs).refs, strict=True):
        assert min(len(text.split()) for text in ref.texts) == len(short.texts[0].split())


def test_a_swin_transformer_and_a_bert_are_put_in_and_all_else_is_drawn(tmp_path: Path):
    given = lavt(seed=5)
    swin = {
        key.removeprefix("backbone."): value
        for key, value in given.state_dict().items()
        if key.startswith("backbone.") and "fusion" not in key and "res_gate" not in key
    }
    swin = {key: value for key, value in swin.items() if not key.startswith("norm")}
    more = {"norm.weight": torch.ones(64), "head.bias": torch.ones(3), "layers.0.blocks.1.attn_mask": torch.ones(2)}
    torch.save({"model": {**swin, **more}}, tmp_path / "swin.pth")
    torch.save(given.text_encoder.state_dict(), tmp_path / "bert.bin")
    network = started(SMALL, 0, swin=str(tmp_path / "swin.pth"), bert=str(tmp_path / "bert.bin"))
    plain = started(SMALL, 0)
    for key, value in network.state_dict().items():
        own = key.removeprefix("backbone.") in swin or key.startswith("text_encoder.")
        assert value.equal((given if own else plain).state_dict()[key]), key
    torch.save(
        {"model": {key: value for key, value in swin.items() if "0.qkv" not in key} | {"x": torch.ones(1)}},
        tmp_path / "x.pth",
    )
    with pytest.raises(DataError, match=r"as the Swin transformer of the recipe's sizes: .*unexpected \(x\)"):
        started(SMALL, 0, swin=str(tmp_path / "x.pth"))
    with pytest.raises(UsageError, match=r"swin_base_patch4_window12_384_22k.pth"):
        started(SMALL, 0, swin=str(tmp_path / "absent.pth"))
    with pytest.raises(DataError, match="is no Swin transformer"):
        started(SMALL, 0, swin=str(tmp_path / "bert.bin"))


def test_words_are_those_of_the_texts_or_of_the_file(tmp_path: Path):
    words = vocabulary_of(["the red circle", "red dog"], vocab=None, bert=None, size=14)
    assert words.words == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "circle", "dog", "red", "the")
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    assert vocabulary_of([], vocab=str(tmp_path / "vocab.txt"), bert=None, size=14).words == WORDS
    assert vocabulary_of([], vocab=None, bert=str(tmp_path), size=14).words == WORDS
    with pytest.raises(UsageError, match="needs BERT's vocabulary"):
        vocabulary_of([], vocab=None, bert=str(tmp_path / "bert" / "model.safetensors"), size=14)
    with pytest.raises(DataError, match="has 14 words, but the weights know 30522"):
        vocabulary_of([], vocab=None, bert=str(tmp_path), size=30522)


def test_recipes_that_cannot_work_are_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no key 'wamup': did you mean 'warmup'"):
        train("shapes", out=tmp_path, wamup="3")
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
    with pytest.raises(UsageError, match="image_size is 16; give 33 or more"):
        LavtTrainer(replace(RECIPE, network=replace(TINY, image_size=16)), CPU)
    with pytest.raises(UsageError, match=r"batch is 900, but shapes_val has \d+ refs"):
        LavtTrainer(replace(RECIPE, batch=900), CPU)
    with pytest.raises(UsageError, match="no network can be built with these sizes"):
        LavtTrainer(replace(RECIPE, network=replace(TINY, heads=(3, 3, 3, 3))), CPU)
    assert set(train.recipes) >= {"shapes", "refcoco", "refcoco_one", "refcoco+", "refcocog_umd", "refcocog_google"}  # type: ignore[attr-defined]
    for name in train.recipes:  # type: ignore[attr-defined]
        assert one(LavtRecipe, name, TABLE, {}, FOLDER).split.endswith(("_train", "_train_u", "_train_g")), name
    assert Refs is not RefsTogether
