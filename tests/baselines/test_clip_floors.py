"""clip_gradcam and clip_gae, and clip_sim on a transformer, against computations that share nothing with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.clips import WORDS, openai_clip, openai_vit, tiny_clip, tiny_vit
from PIL import Image

from baselines import clip_gae, clip_gradcam, clip_sim
from risbench import UsageError, load_split
from risbench.methods import factory
from risbench.methods.contract_check import check_method

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def _input(side: int) -> torch.Tensor:
    import open_clip

    transform: Any = open_clip.image_transform(side, is_train=False, resize_mode="squash")
    return transform(Image.fromarray(PICTURE))[None]


def _result(network: Any) -> torch.Tensor:
    import open_clip

    with torch.no_grad():
        return F.normalize(network.encode_text(open_clip.get_tokenizer("RN50")(list(WORDS))), dim=1)


@pytest.mark.parametrize("side", [64, 96])
def test_gradcam_is_that_of_open_clips_network_one_text_at_a_time(tmp_path: Path, side: int):
    network = openai_clip(tmp_path / "rn.pt")
    pool = network.visual.attnpool
    expected = []
    for result in _result(network):
        kept: list[torch.Tensor] = []
        hook = network.visual.layer4.register_forward_hook(lambda _m, _g, out, kept=kept: kept.append(out))
        x = network.visual.layer3(network.visual.layer2(network.visual.layer1(network.visual.stem(_input(side)))))
        last = network.visual.layer4(x)
        hook.remove()
        last.retain_grad()
        positions = pool.positional_embedding
        if side != 64:
            grid = positions[1:].T.reshape(1, -1, 2, 2)
            grid = F.interpolate(grid, size=(side // 32, side // 32), mode="bilinear", align_corners=False)
            positions = torch.cat([positions[:1], grid[0].flatten(1).T])
        cells = last[0].flatten(1).T
        tokens = (torch.cat([cells.mean(0, keepdim=True), cells]) + positions)[:, None]
        observed, _ = F.multi_head_attention_forward(
            tokens[:1], tokens, tokens, tokens.shape[2], pool.num_heads, None,
            torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]), None, None, False, 0.0,
            pool.c_proj.weight, pool.c_proj.bias, use_separate_proj_weight=True, training=False, need_weights=False,
            q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight, v_proj_weight=pool.v_proj.weight,
        )  # fmt: skip
        F.cosine_similarity(observed[0, 0], result, dim=0).backward()
        assert last.grad is not None
        weights = last.grad[0].mean((1, 2))
        expected.append((weights[:, None, None] * last[0].detach()).sum(0).relu())
    found = clip_gradcam.make(weights=str(tmp_path / "rn.pt"), size=side).maps(PICTURE, WORDS)
    assert found.max() > 0
    np.testing.assert_allclose(found, torch.stack(expected), atol=1e-5 * float(found.max()))


@pytest.mark.parametrize("side", [32, 48])
def test_relevance_is_gradient_times_the_whole_attention_of_open_clips_last_block(tmp_path: Path, side: int):
    """Written out with the whole table of attention as a leaf; the method differentiates one row of it."""
    network = openai_vit(tmp_path / "vit.pt")
    visual = network.visual
    block = visual.transformer.resblocks[-1]
    expected = []
    for result in _result(network):
        with torch.no_grad():
            cells = visual.conv1(_input(side)).flatten(2).transpose(1, 2)
            positions = visual.positional_embedding
            if side != 32:
                grid = positions[1:].T.reshape(1, -1, 4, 4)
                grid = F.interpolate(grid, size=(side // 8, side // 8), mode="bilinear", align_corners=False)
                positions = torch.cat([positions[:1], grid[0].flatten(1).T])
            x = visual.ln_pre(torch.cat([visual.class_embedding[None, None], cells], 1) + positions)
            for earlier in visual.transformer.resblocks[:-1]:
                x = earlier(x)
            inside = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
            q, k, v = (part.unflatten(2, (2, 64)).transpose(1, 2) for part in inside.chunk(3, 2))
            table = (q @ k.transpose(2, 3) / 8).softmax(3)
        table.requires_grad_()
        y = x + block.attn.out_proj((table @ v).transpose(1, 2).flatten(2))
        y = y + block.mlp(block.ln_2(y))
        observed = visual.ln_post(y[0, 0]) @ visual.proj
        F.cosine_similarity(observed, result, dim=0).backward()
        assert table.grad is not None
        relevance = torch.eye(table.shape[2]) + (table.grad * table.detach())[0].relu().mean(0)
        expected.append(relevance[0, 1:].unflatten(0, (side // 8, side // 8)))
    found = clip_gae.make(weights=str(tmp_path / "vit.pt"), size=side).maps(PICTURE, WORDS)
    assert found.max() > 0
    np.testing.assert_allclose(found, torch.stack(expected), atol=1e-5 * float(found.max()))


def test_a_patch_is_what_the_last_block_says_of_it_alone(tmp_path: Path):
    """open_clip's own last block, given one token at a time, which then can attend to itself alone."""
    network = openai_vit(tmp_path / "vit.pt")
    visual = network.visual
    with torch.no_grad():
        cells = visual.conv1(_input(32)).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding[None, None], cells], 1) + visual.positional_embedding
        x = visual.ln_pre(x)
        for block in visual.transformer.resblocks[:-1]:
            x = block(x)
        alone = visual.transformer.resblocks[-1](x[0, 1:, None])[:, 0]
        observed = F.normalize(visual.ln_post(alone) @ visual.proj, dim=1)
        expected = (_result(network) @ observed.T).unflatten(1, (4, 4))
    found = clip_sim.make(weights=str(tmp_path / "vit.pt")).maps(PICTURE, WORDS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("module", "maker"), [(clip_gradcam, tiny_clip), (clip_gae, tiny_vit), (clip_sim, tiny_vit)])
def test_they_keep_the_contract_of_a_method(tmp_path: Path, shared_cache: Path, module: Any, maker: Any):
    name = module.__name__.rpartition(".")[2]
    method, options = factory.make(name, weights=str(maker(tmp_path / "tiny.safetensors")), options={"size": "48"})
    assert options["size"] == 48
    findings = check_method(method, load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []
    assert method.parameter_count > 0
    assert method.card["activation"] == "quick_gelu"


@pytest.mark.parametrize(("module", "maker"), [(clip_gradcam, tiny_clip), (clip_gae, tiny_vit)])
def test_images_of_any_size_have_an_answer_of_their_size(tmp_path: Path, module: Any, maker: Any):
    method = module.make(weights=str(maker(tmp_path / "tiny.safetensors")))
    for height, width in ((1, 1), (16, 5000), (5000, 16), (7, 7)):
        answer = method.predict(np.full((height, width, 3), 200, np.uint8), ["a dog", "a dog"])
        assert [one.mask.shape for one in answer] == [(height, width)] * 2
        assert np.isfinite(answer[0].heat).all()
    assert method.predict(PICTURE, []) == []


def test_the_expression_stands_in_its_prompt(tmp_path: Path):
    weights = str(tiny_vit(tmp_path / "tiny.safetensors"))
    plain, prompted = clip_gae.make(weights=weights), clip_gae.make(weights=weights, prompt="the red {}")
    assert torch.equal(prompted.maps(PICTURE, ["circle"]), plain.maps(PICTURE, ["the red circle"]))
    with pytest.raises(UsageError, match="for the expression"):
        clip_gae.make(weights=weights, prompt="an image")


def test_weights_of_the_other_tower_are_refused(tmp_path: Path):
    resnet, vit = str(tiny_clip(tmp_path / "a.safetensors")), str(tiny_vit(tmp_path / "b.safetensors"))
    with pytest.raises(UsageError, match="clip_gradcam needs a ResNet"):
        clip_gradcam.make(weights=vit)
    with pytest.raises(UsageError, match="clip_gae needs a vision transformer"):
        clip_gae.make(weights=resnet)
