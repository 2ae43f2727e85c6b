"""CLIP-ES: its map against a Grad-CAM by hand, the competitors of an expression, images of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.clips import TINY_VIT, WORDS, openai_vit, tiny_vit
from helpers.commands import Ask
from PIL import Image

from baselines import clip_es
from baselines._clip.prompting import pixels_of
from baselines._clip.vit import VitClip, VitConfig
from baselines._words.competitors import COCO, VOC, background_of
from baselines.clip_es import CARD, ClipEs, grid_of
from risbench import Settings, UsageError, evaluate, load_split
from risbench.datasets.shapes.words import SHAPES
from risbench.methods.contract_check import check_method
from risbench.scoring.sweep import sweep
from tris_model import digest, tokenize
from tris_model.files.checkpoint import read
from tris_model.irn import crf

# A method cuts its heat as torch resizes it, a sweep as the rules do. The last bits of torch's resize depend on its
# version and on the processor, so a pixel beside the cut may fall otherwise: less than this in any mean IoU.
_PIXELS = 1e-3
PICTURE = np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8)


def make(**options: Any) -> ClipEs:
    """The method with all of its parts; with tiny weights the last is off by default."""
    return clip_es.make(**{"refine_affinity": True, **options})


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(tiny_vit(tmp_path / "tiny.safetensors"))


def whole(path: str) -> VitClip:
    """The network as its file has it, in float64."""
    held = read(Path(path))
    clip = VitClip(VitConfig.from_json(held.metadata["config"]))
    clip.load_state_dict(held.state)
    return clip.double()


def by_hand(clip: Any, pixels: torch.Tensor, text: str, rivals: list[str], prompt: str) -> torch.Tensor:
    """Grad-CAM of the softmax probability at the last block's ln_1, a whole forward and backward for one text."""
    kept: dict[str, torch.Tensor] = {}
    layer = clip.visual.blocks[-1].ln_1
    last = layer.register_forward_hook(lambda module, given, out: kept.update(out=out) or out.retain_grad())
    embedded = clip.visual.embed(pixels.double()).requires_grad_()
    tokens = clip.visual.blocks(embedded)
    last.remove()
    observed = (clip.visual.ln_post(tokens[0, 1:]) @ clip.visual.proj).mean(0)
    result = clip.encode_text(
        tokenize([prompt.format(word) for word in (text, *rivals)], keep_end=True, length=TINY_VIT.context)
    )
    cosine = F.normalize(result, dim=1) @ F.normalize(observed, dim=0)
    chance = (clip.logit_scale.exp() * cosine).softmax(0)[0]
    chance.backward()
    gradient = kept["out"].grad
    assert gradient is not None
    map_ = (kept["out"][0, 1:] * gradient[0, 1:].mean(0)).sum(1).relu().detach()
    map_ = map_ - map_.min()
    return map_ / map_.max()


@pytest.mark.parametrize("size", [(48, 48), (61, 90)])
def test_the_map_is_the_grad_cam_of_the_softmax_probability(tiny: str, size: tuple[int, int]) -> None:
    method = make(weights=tiny, background="circle,square", refine_affinity=False)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    heats = [answer.heat for answer in method.predict(image, WORDS)]
    height, width = grid_of(size, 8, None)
    assert {heat.shape for heat in heats} == {(height, width)}
    squashed = Image.fromarray(image).resize((8 * width, 8 * height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(squashed)).permute(2, 0, 1) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = ((pixels - mean[:, None, None]) / deviation[:, None, None])[None]
    clip = whole(tiny)
    for text, heat in zip(WORDS, heats, strict=True):
        expected = by_hand(clip, pixels, text, ["circle", "square"], "{}")
        np.testing.assert_allclose(heat.ravel(), expected, atol=1e-5)


def test_a_probability_that_rounds_to_one_still_has_a_map(tiny: str) -> None:
    """CLIP's scale is 100: in float32 the gradient of such a probability is nothing but its rounding."""
    method = make(weights=tiny, background="circle,square", refine_affinity=False)
    expected = [answer.heat for answer in method.predict(PICTURE, WORDS)]
    scale = method._opened.clip.logit_scale
    with torch.no_grad():
        scale.fill_(np.log(1e4))
    for before, answer in zip(expected, method.predict(PICTURE, WORDS), strict=True):
        assert answer.heat.max() == 1.0
        assert np.isfinite(answer.heat).all()
        assert not np.array_equal(answer.heat, before)


def test_the_attention_of_the_last_blocks_is_averaged_over_heads_and_added_up(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines._clip.vit.ROWS", 7)
    monkeypatch.setattr(clip_es, "LAYERS", 2)
    method = make(weights=tiny)
    visual = method._visual
    pixels = torch.randn(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens, attention = method._tokens(pixels)
        x, expected = visual.embed(pixels), torch.zeros(36, 36)
        for place, block in enumerate(visual.blocks):
            q, k, _ = block.attn.split(block.ln_1(x))
            if place in (1, 2):
                expected += (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(3)[0].mean(0)
            before, x = x, block(x)
    assert attention is not None
    torch.testing.assert_close(attention, expected)
    torch.testing.assert_close(tokens, before)


def test_an_image_goes_through_the_network_once_and_each_text_through_no_more_than_the_last_block(tiny: str) -> None:
    method = make(weights=tiny)
    first: list[int] = []
    last: list[int] = []
    method._visual.blocks[0].attn.register_forward_hook(lambda _module, given, _out: first.append(len(given[0])))
    method._visual.blocks[-1].attn.register_forward_hook(lambda _module, given, _out: last.append(len(given[0])))
    answers = method.predict(PICTURE, [*WORDS, *WORDS])
    assert (first, last) == ([1], [1])
    for one, other in zip(answers[:3], answers[3:], strict=True):
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-5)  # two places of one product
    assert method.predict(PICTURE, []) == []


def test_no_head_has_an_attention_of_its_own_in_memory(tiny: str) -> None:
    """What is allocated at a time is counted: nothing is as large as two heads' tables."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for one in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(one, torch.Tensor):
                    self.numbers = max(self.numbers, one.untyped_storage().nbytes() // 4)
            return out

    method = make(weights=tiny)
    image = np.zeros((256, 256, 3), np.uint8)
    with Largest() as largest:
        method.predict(image, WORDS)
    tokens = 32 * 32 + 1
    assert tokens**2 <= largest.numbers < 1.01 * tokens**2


def test_an_answer_does_not_depend_on_its_company_unless_siblings_compete(tiny: str) -> None:
    alone = [make(weights=tiny).predict(PICTURE, [text])[0] for text in WORDS]
    method = make(weights=tiny)
    for one, other in zip(alone, method.predict(PICTURE, WORDS), strict=True):
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-5)
    assert method.card["reads"] == ()
    siblings = make(weights=tiny, competitors="siblings")
    assert siblings.card["reads"] == ("siblings",)
    for place, text in enumerate(WORDS):
        rivals = [word for word in WORDS if word != text]
        listed = make(weights=tiny, background=",".join([*rivals, *background_of("coco").against(text)]))
        np.testing.assert_allclose(
            siblings.predict(PICTURE, WORDS)[place].heat, listed.predict(PICTURE, [text])[0].heat, atol=1e-5
        )
        assert not np.allclose(siblings.predict(PICTURE, WORDS)[place].heat, alone[place].heat, rtol=0, atol=1e-4)


def test_words_that_say_the_expression_do_not_stand_against_it() -> None:
    assert (len(VOC), len(COCO), set(VOC) - set(COCO)) == (25, 23, {"keyboard", "sign"})
    own = background_of("Red  car, tree ,tree,")
    assert own.words == ("Red car", "tree")
    assert own.against(" the red CAR ") == ("tree",)
    assert own.against("car") == ("Red car", "tree")
    assert own.against("a tree and the red car") == ("Red car", "tree")
    drawn = background_of("shapes")
    assert set(drawn.against(f"the {SHAPES[0]} left of a red {SHAPES[2]}")) == set(SHAPES) - {SHAPES[0], SHAPES[2]}


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_an_empty_list_of_words_is_refused(tiny: str, text: str) -> None:
    with pytest.raises(UsageError, match="a softmax over the expression alone is always 1"):
        make(weights=tiny, background=text)


def test_an_expression_that_nothing_stands_against_has_an_even_heat_and_an_empty_mask(tiny: str) -> None:
    method = make(weights=tiny, background="tree")
    answers = method.predict(PICTURE, ["A  Tree", "a dog"])
    assert (answers[0].heat.max(), answers[0].mask.any()) == (0.0, False)
    assert answers[1].heat.max() == 1.0
    assert method.facts == {"images_shrunk": 0, "texts_alone": 1}


@pytest.mark.parametrize("size", [(1, 1), (16, 5000), (5000, 16), (1, 20000), (7, 61), (300, 500)])
def test_images_of_any_shape_are_answered_at_their_size(tiny: str, size: tuple[int, int], monkeypatch: Any) -> None:
    monkeypatch.setattr(clip_es, "grid_of", lambda *given, most=400: grid_of(*given, most=most and 400))
    method = make(weights=tiny)
    answer = method.predict(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8), ["a dog"])[0]
    assert answer.mask.shape == size
    assert answer.heat.size <= 400
    assert method.facts["images_shrunk"] == (max(size) > 400)


def test_a_grid_is_the_next_multiple_of_the_patch_and_bounded_as_a_whole() -> None:
    assert grid_of((480, 640), 16, None) == (30, 40)
    assert grid_of((481, 1), 16, None) == (31, 1)
    assert grid_of((480, 640), 16, 320) == (15, 20)
    assert grid_of((427, 640), 16, 224) == (10, 14)
    assert grid_of((1024, 1024), 16, None) == (64, 64)
    assert grid_of((3000, 4000), 16, None) == (55, 73)
    assert grid_of((16, 200000), 16, None) == (1, 4096)
    assert grid_of((16, 200000), 16, 160) == (1, 10)


def test_a_photograph_is_asked_as_the_authors_do(tmp_path: Path) -> None:
    openai_vit(tmp_path / "openai.pt")
    method = clip_es.make(weights=str(tmp_path / "openai.pt"))
    assert (method._prompt, method._threshold) == ("a clean origami {}.", 0.4)
    assert method.card["background"] == COCO
    assert method.card["affinity"]
    assert method.card["weights"] == digest(tmp_path / "openai.pt")
    assert "unknown" in method.card["extra_data"]
    assert method.predict(PICTURE, ["a dog"])[0].heat.shape == (8, 12)
    assert clip_es.make.card is CARD


def test_the_tiny_clip_is_asked_in_its_own_words(tiny: str) -> None:
    method = clip_es.make(weights=tiny)
    assert (method._prompt, method._threshold) == ("{}", 0.45)
    assert not method.card["affinity"]
    assert "drawn scenes" in method.card["extra_data"]


def test_the_mask_is_where_the_heat_exceeds_the_threshold_or_what_the_crf_decides(tiny: str) -> None:
    for threshold in (0.0, 0.6):
        answer = make(weights=tiny, threshold=threshold).predict(PICTURE, WORDS)[1]
        assert answer.heat.dtype == np.float32
        assert (answer.heat.min(), answer.heat.max()) == (0.0, 1.0)
        grown = F.interpolate(torch.from_numpy(answer.heat)[None, None], size=(61, 90), mode="bilinear")[0, 0]
        # Several heats at once and one alone may go through other kernels, whose last bits differ.
        differ = answer.mask != (grown > threshold).numpy()
        assert (np.abs(grown.numpy()[differ] - threshold) < 1e-5).all()
    decided = make(weights=tiny, crf=True).predict(PICTURE, WORDS)[1]
    assert np.array_equal(decided.heat, answer.heat)
    assert (decided.mask == crf.decide(PICTURE, grown[None].numpy())[0]).mean() > 0.999


def test_it_keeps_the_contract_of_a_method(tiny: str, shared_cache: Path) -> None:
    for competitors in ("none", "siblings"):
        findings = check_method(make(weights=tiny, size=96, competitors=competitors), load_split("shapes_val"), 2)
        assert [finding for finding in findings if not finding.holds] == []


def test_a_sweep_under_clean_is_in_the_unit_of_its_threshold(tiny: str, tmp_path: Path, shared_cache: Path) -> None:
    split, settings = load_split("shapes_val"), Settings(save_heat=True)
    heats = evaluate(make(weights=tiny, size=96), split, limit=2, out=tmp_path / "heats", settings=settings)
    found = sweep(heats.path, split.name, rules="clean", thresholds=(0.2, 0.6), metrics="mIoU")
    for threshold, value in zip(found.thresholds, found.values, strict=True):
        method = make(weights=tiny, size=96, threshold=threshold)
        run = evaluate(method, split, limit=2, rules="clean", out=tmp_path / str(threshold))
        assert run.summary["metrics"]["mIoU"]["value"] == pytest.approx(value[0], abs=_PIXELS)


def test_what_cannot_be_asked_is_said_in_one_line(tiny: str) -> None:
    with pytest.raises(UsageError, match=r"clip_es needs a CLIP: get .*ViT-B-16\.pt"):
        make(split="refcoco_val")
    with pytest.raises(UsageError, match=r"no \{\}"):
        make(weights=tiny, prompt="a clean origami")
    with pytest.raises(UsageError, match="size=0"):
        make(weights=tiny, size=0)
    with pytest.raises(UsageError, match="from 0 to below 1"):
        make(weights=tiny, threshold=1.0)


def test_the_command_runs_it_with_its_siblings(tiny: str, ask: Ask, tmp_path: Path, shared_cache: Path) -> None:
    out = tmp_path / "run"
    words = ["run", "--method", "clip_es", "--split", "shapes_val", "--limit", 1, "--weights", tiny, "--out", out]
    outcome = ask(*words, "--set", "competitors=siblings", "--set", "size=96")
    assert outcome.code == 0, outcome.err
    outcome = ask(*words[:-1], tmp_path / "other", "--set", "competitors=brothers")
    assert outcome.code == 2
    assert "must be one of none, siblings" in outcome.err


def test_it_is_a_method_by_itself(tiny: str) -> None:
    assert isinstance(make(weights=tiny), ClipEs)
    assert make(weights=tiny).parameter_count == sum(weight.numel() for weight in whole(tiny).parameters())


def test_the_map_is_that_of_the_package_grad_cam(tiny: str) -> None:
    """The package that the authors use, where it is installed (``pip install grad-cam``; nothing here needs it)."""
    package = pytest.importorskip("pytorch_grad_cam")
    clip = whole(tiny).float()
    words = ["circle", "square"]
    result = clip.encode_text(tokenize([*WORDS[:1], *words], keep_end=True, length=TINY_VIT.context)).detach()

    class Chances(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = clip.visual

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            tokens = self.visual.blocks(self.visual.embed(pixels))
            observed = F.normalize(self.visual.summary(tokens[:, 1:]).mean(1), dim=1)
            return (clip.logit_scale.exp() * observed @ F.normalize(result, dim=1).T).softmax(1)

    method = make(weights=tiny, background=",".join(words), refine_affinity=False)
    pixels = pixels_of(method._opened, PICTURE, 64, 96)
    cam = package.GradCAM(
        model=Chances(),
        target_layers=[clip.visual.blocks[-1].ln_1],
        reshape_transform=lambda tokens: tokens[:, 1:].transpose(1, 2).unflatten(2, (8, 12)),
    )
    found = cam(pixels, [package.utils.model_targets.ClassifierOutputTarget(0)])[0]
    heat = torch.from_numpy(method.predict(PICTURE, WORDS[:1])[0].heat)
    large = F.interpolate(heat[None, None], size=(64, 96), mode="bilinear")[0, 0]
    np.testing.assert_allclose(found, (large - large.min()) / (large.max() - large.min()), atol=1e-4)
