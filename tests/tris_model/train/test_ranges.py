"""Every number of every recipe has a range, and a training whose numbers are not finite stops there."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.joined import made
from helpers.training import clip_file, recipe, refer_tree

from baselines.train import clip_vit, groupvit
from risbench.errors import DataError, UsageError
from tris_model.ranges import Within
from tris_model.tiny_clip import train as clip_trainer
from tris_model.tiny_clip.train import ClipRecipe
from tris_model.train import stage1, tris
from tris_model.train.loop import finite
from tris_model.train.loop.journal import Journal
from tris_model.train.loop.optimiser import Rates
from tris_model.train.plan import plan_of
from tris_model.train.presets import PRESETS
from tris_model.train.pseudo import PseudoRecipe
from tris_model.train.recipe import names, one, read
from tris_model.train.stage1 import Stage1Recipe
from tris_model.train.stage2 import Stage2Recipe

KINDS = (Stage1Recipe, Stage2Recipe, PseudoRecipe, ClipRecipe, clip_vit.VitRecipe, groupvit.GroupViTRecipe)


def numbers(kind: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """The name and the hint of every field, of records within as well."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            yield from numbers(hints[field.name], f"{before}{field.name}.")
        else:
            yield before + field.name, hints[field.name]


def bare(hint: Any) -> bool:
    """Whether a hint lets any number pass."""
    if typing.get_origin(hint) is typing.Annotated:
        return not isinstance(typing.get_args(hint)[1], Within)
    return hint in (int, float) or (
        typing.get_origin(hint) is not typing.Literal and any(bare(part) for part in typing.get_args(hint))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_every_recipe_has_a_range(kind: Any) -> None:
    assert [name for name, hint in numbers(kind) if bare(hint)] == []


def test_the_shipped_recipes_and_presets_all_pass() -> None:
    for name in names("stage1"):
        for preset in (None, *PRESETS):
            plan_of(tris.tables_of(name, {} if preset is None else {"preset": preset}), Path("x"), None)
    one(ClipRecipe, "shapes", "clip", {})
    one(clip_vit.VitRecipe, "shapes", clip_vit.TABLE, {}, clip_vit.FOLDER)
    one(groupvit.GroupViTRecipe, "shapes", groupvit.TABLE, {}, groupvit.FOLDER)


WRONG = [
    ("stage1.epochs", "0"), ("stage1.batch", "0"), ("stage1.batch", "-4"), ("stage1.seed", "-1"), ("stage1.limit", "0"),
    ("stage1.negatives", "-1"), ("stage1.rates.heads", "-1e-3"), ("stage1.rates.backbone", "nan"),
    ("stage1.rates.power", "inf"), ("stage1.rates.heads", "1e39"), ("stage1.weights.negative", "-1"),
    ("stage1.clip", "-5"), ("stage1.cone", "nan"), ("stage1.network.hidden", "-1"), ("stage1.seed", str(2**64)),
    ("pseudo.refs", "0"), ("pseudo.learn", "0"), ("pseudo.threshold", "1.5"), ("pseudo.train.batch", "0"),
    ("pseudo.train.rate", "nan"), ("pseudo.train.scales", "0,1"), ("pseudo.train.scales", "0.5"),
    ("pseudo.walk.radius", "0"), ("pseudo.walk.steps", "-1"), ("pseudo.processes", "0"), ("stage2.epochs", "0"),
    ("stage2.weight", "-1"), ("stage2.seed", "-1"), ("stage2.rates.weight_decay", "inf"), ("stage1.epochs", "true"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_number_out_of_its_range_is_refused_before_anything_is_made(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        tris.train("shapes", out=tmp_path / "out", device="cpu", **{key: value})
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("objects", "0"), ("seed", "-1"), ("lr", "nan"), ("temperature_start", "0"), ("first.side", "0"),
     ("places", "1.5"), ("mixed", "-1"), ("network.width", "0"), ("network.text_heads", "5"), ("first.side", "4000")],
)  # fmt: skip
@pytest.mark.parametrize("trainer", [clip_trainer, clip_vit, groupvit])
def test_so_it_is_by_the_trainers_of_towers(tmp_path: Path, trainer: Any, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key.split(".")[0]):
        trainer.train("shapes", out=tmp_path / "out", device="cpu", **{key: value})
    assert not (tmp_path / "out").exists()


def test_lessons_and_weights_that_teach_nothing_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"clip\.first: objects and scenes are both 0"):
        clip_trainer.train("shapes", out=out, device="cpu", **{"first.objects": "0"})
    with pytest.raises(UsageError, match="nothing would be learned"):
        clip_trainer.train("shapes", out=out, device="cpu", **{"first.steps": "0", "second.steps": "0"})
    nothing = {f"stage1.weights.{name}": "0" for name in ("classification", "positive", "negative")}
    with pytest.raises(UsageError, match="all weights are 0"):
        tris.train("shapes", out=out, device="cpu", **nothing)
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[stage1.rates]", "[stage_1.rates]", "no table or key 'stage_1'.*'stage1'"),
        ("[pseudo.walk]", "[psuedo.walk]", "no table or key 'psuedo'.*'pseudo'"),
        ("[stage2.rates]", "[stage2.rate]", "stage2 has no key 'rate'.*'rates'"),
        ("epochs = 3", "epochs = true", r"stage1\.epochs is int, not True"),
        ("cone = 0.6", "cone = true", r"stage1\.cone is float, not True"),
        ("mirror = true", "mirror = 2", r"stage1\.mirror is bool, not 2"),
        ("scales = [0.9, 1.1]", "scales = 1.0", r"pseudo\.train\.scales is a list of 2 numbers"),
        ("[clip]", "epochs = 3\n[clip]", "no table or key 'epochs'"),
        ("[clip]", "preset = 3\n[clip]", "preset is a name"),
        ("[pseudo]\nrefs = 8000", "[pseudo]\nrefs = 8000.5", r"pseudo\.refs is int"),
        ("[clip]\nlr = 2e-3", "[clip]\nrl = 2e-3", r"clip has no key 'rl'.*'lr'"),
        ("[clip.network]", "[clip.networks]", r"clip has no key 'networks'.*'network'"),
        ("[clip.first]\nsteps", "[clip.first]\nstep", r"clip\.first has no key 'step'.*'steps'"),
        ("freeze_text_steps = 500", "freeze_text_steps = true", r"clip\.freeze_text_steps is int, not True"),
        ("objects = 16000", "objects = 0", r"clip\.objects is 0"),
    ],
)
def test_a_mistyped_recipe_is_refused_by_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (Path(tris.__file__).parents[1] / "recipes/shapes.toml").read_text()
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match=words):
        tris.train(str(file), out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_trainer_of_clip_refuses_what_is_mistyped_for_the_others(tmp_path: Path) -> None:
    text = (Path(tris.__file__).parents[1] / "recipes/shapes.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(text.replace("[stage1.rates]", "[stage1.rate]", 1))
    with pytest.raises(UsageError, match=r"stage1 has no key 'rate'.*'rates'"):
        clip_trainer.train(str(file), out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_file_of_several_trainers_is_read_by_each(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text("[clip_vit]\n[groupvit]\n[clip]\n[stage1]\n[mine]\n")
    with pytest.raises(UsageError, match="'mine'"):
        read(str(file))
    assert set(read(str(file), more=("mine",))) == {"clip_vit", "groupvit", "clip", "stage1", "mine"}


@pytest.mark.parametrize("what", ["loss", "gradient", "weight"])
def test_stage_1_stops_at_the_first_number_that_is_not_finite_and_keeps_the_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    data, file = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    kept, forward, steps = Journal.keep, stage1.Objective.forward, iter(range(100))
    monkeypatch.setattr(Journal, "keep", lambda self, *a, now: kept(self, *a, now=True))

    def broken(self: Any, *given: Any) -> dict[str, Any]:
        terms = dict(forward(self, *given))
        if next(steps) == 2:
            factor = {"loss": torch.nan, "gradient": 1.0, "weight": 1.0}[what]
            terms["loss"] = terms["loss"] * factor
            if what == "gradient":
                terms["loss"].register_hook(lambda grad: grad * torch.inf)
            if what == "weight":
                self.network.vis_project.bias.data.fill_(torch.inf)
        return terms

    monkeypatch.setattr(stage1.Objective, "forward", broken)
    requested = recipe(file, rates=Rates(heads=2e-3, backbone=1e-3))
    with pytest.raises(DataError, match=rf"the? ?{what}|a {what}") as caught:
        stage1.fit(requested, tmp_path / "out", torch.device("cpu"), data)
    assert "at step 3 of 6" in str(caught.value)
    assert "rates are 0.0006" in str(caught.value)
    state = torch.load(tmp_path / "out/stage1/state.pt", weights_only=True)
    assert state["step"] == 2
    assert all(torch.isfinite(value).all() for value in state["network"].values())
    assert not (tmp_path / "out/stage1.safetensors").exists()
    log = [json.loads(line) for line in (tmp_path / "out/stage1/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [0, 1]


def test_stage_2_and_irn_stop_too(tmp_path: Path) -> None:
    file, data = made(tmp_path)
    given: dict[str, Any] = {"out": tmp_path / "out", "device": "cpu", "data_root": data, "val": "none"}
    with pytest.raises(DataError, match=r"IRN: .* no longer finite.* of 4, where the learning rates are"):
        tris.train(file, **given, **{"pseudo.train.rate": "1e30", "pseudo.train.displacement_rate": "1e30"})
    tris.train(file, stage="labels", overwrite=True, **given)
    with pytest.raises(DataError, match=r"stage 2: .* no longer finite"):
        tris.train(file, stage="2", **given, **{"stage2.rates.heads": "1e30", "stage2.epochs": "4"})
    assert not (tmp_path / "out/stage2.safetensors").exists()


def test_no_clipping_leaves_gradients_as_they_are() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    weight.grad = torch.tensor([3.0, 4.0, -0.0])
    assert finite.clipped([weight], 0) == 5.0
    assert weight.grad.tolist() == [3.0, 4.0, -0.0]
    assert finite.clipped([weight], 1) == 5.0
    assert weight.grad.norm().item() == pytest.approx(1, abs=1e-5)
