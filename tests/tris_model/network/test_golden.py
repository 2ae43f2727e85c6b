"""The numbers that the authors' own code gives with made-up weights (spec §2); tolerance 1e-3 relative at most."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.weight_recipe import filled, fingerprint, images, token_rows

from tris_model.clip.trunk import AttentionPool
from tris_model.config import STAGE1
from tris_model.network.stage1 import Stage1, Stage1Training
from tris_model.network.stage2 import Stage2

SPEC = Path(__file__).parents[4] / "shared" / "spec"
KEYS = {
    1: (518, 113_559_906, "71efc60a646787e5f230930c6485a1d9609efe5864ee148febb19e8bd23fbd56"),
    2: (625, 142_085_869, "64dffea1ed63ec3055e03f0f93a2008070fd8707ca1bf7bf2afeb6de125ac359"),
}


def near(value: torch.Tensor | float, expected: object, relative: float = 1e-4, absolute: float = 6e-5) -> None:
    torch.testing.assert_close(torch.as_tensor(value), torch.as_tensor(expected), rtol=relative, atol=absolute)


@pytest.fixture(scope="module")
def X() -> torch.Tensor:
    return images()


@pytest.fixture(scope="module")
def T() -> torch.Tensor:
    return token_rows()


@pytest.mark.parametrize("stage", [1, 2])
def test_keys_shapes_and_counts_are_the_authors(stage: int, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(f"stage{stage}")
    keys, parameters, digest = KEYS[stage]
    assert len(network.state_dict()) == keys
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert fingerprint(network.state_dict()) == digest


@pytest.mark.parametrize("stage", [1, 2])
def test_every_key_of_the_specification_is_there_with_its_dtype(stage: int, request: pytest.FixtureRequest) -> None:
    file = SPEC / f"tris_stage{stage}_keys.txt"
    if not file.exists():
        pytest.skip("no shared folder here; the digest above covers names and shapes")
    state = request.getfixturevalue(f"stage{stage}").state_dict()
    lines = [line.split("\t") for line in file.read_text().splitlines() if not line.startswith("#")]
    listed = {key: (ast.literal_eval(shape), dtype) for key, shape, dtype, _ in lines}
    assert {key: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for key, v in state.items()} == listed


@torch.inference_mode()
def test_the_towers_see_and_read_what_the_authors_do(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    hidden = stage1.backbone.encode_text(T)
    near(hidden[:, :4], [[0.6035, 0.8402, -0.7271, 0.5243], [0.1727, 1.3411, -0.4342, 0.8168]])
    near(hidden.norm(dim=1), [22.5304, 22.2548])
    pyramid = stage1.backbone.encode_pyramid(X[:1])
    assert [tuple(c.shape[1:]) for c in pyramid] == [(256, 80, 80), (512, 40, 40), (1024, 20, 20), (2048, 10, 10)]
    near(torch.stack([c.mean() for c in pyramid]), [0.46233, 0.58692, 1.24618, 1.39394])
    near(pyramid[3][0, :3, 0, 0], [1.7398, 1.5900, 0.2330])


@torch.inference_mode()
def test_stage_1_answers_a_pair_as_the_authors_do(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    response = stage1.respond(X[:1], T)
    first = response[0, 0]
    near(torch.stack([first.min(), first.max(), first.mean()]), [-0.29425, 0.58302, -0.05417])
    row = [0.58302, 0.32405, 0.22652, 0.21922, 0.22486, 0.22991, 0.22712, 0.19743, 0.14117, -0.14765]
    near(first[0], row)
    for heat in (stage1(X[:1], T[:1])[0, 0], stage1.heat(response)[0, 0]):
        assert heat.shape == (320, 320)
        near(torch.stack([heat.sum(), heat.max()]), [2853.870, 0.583025])
        assert int(heat.argmax()) == 0
        near((heat > 0).float().mean(), 0.191270)
        near(heat[[0, 8, 40, 100], [16, 24, 40, 200]], [0.578978, 0.514236, 0.104580, 0.0])
    second = stage1.heat(response)[0, 1]
    near(torch.stack([second.sum(), second.max(), (second > 0).float().mean()]), [2522.554, 0.512667, 0.141631])


@torch.inference_mode()
def test_the_evaluations_resize_agrees_too(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    heat = F.interpolate(stage1(X[:1], T[:1]), size=(427, 640), mode="bilinear", align_corners=True)
    heat = heat / (heat.max() + 1e-5)
    near((heat > 1e-9).float().mean(), 0.193867)
    near(heat.sum(), 13004.63)


@torch.inference_mode()
def test_the_residuals_leave_the_lengths_the_authors_have(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    cells, texts = stage1.encode_cells(X[:1]), stage1.encode_text(T[:1])
    near(cells.norm(dim=1).mean(), 1.0)
    for_image, for_texts = stage1.attn_fusion(cells, texts)
    near((cells + 0.1 * for_image).norm(dim=1).mean(), 1.03650)
    near((texts + 0.1 * for_texts).norm(), 1.66202)


@torch.inference_mode()
def test_a_batch_is_more_than_its_pairs(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    maps = stage1(X, T)
    near(maps.sum((1, 2, 3)), [2981.491, 2747.894])
    near(maps.amax((1, 2, 3)), [0.6258, 0.6292])


@torch.inference_mode()
def test_the_training_branch_scores_as_the_authors(stage1: Stage1, X: torch.Tensor, T: torch.Tensor) -> None:
    stage1.training = True  # the modules inside stay in eval mode, as where the numbers were taken
    try:
        out = stage1(X, T)
    finally:
        stage1.training = False
    assert isinstance(out, Stage1Training)
    near(out.scores, [[-0.1942, -0.2292], [-0.1960, -0.2294]], relative=3e-4)
    near(out.coverage, [0.2062, 0.2026], relative=3e-4)
    near(F.multilabel_soft_margin_loss(out.scores, torch.eye(2)), 0.698598)
    near(out.probability.sum((1, 2, 3)), [49812.77, 49313.97])
    near(out.response, stage1(X, T))
    near(out.temperature, 1 / 0.07)


@torch.inference_mode()
def test_stage_2_answers_as_the_authors_do(stage2: Stage2, X: torch.Tensor, T: torch.Tensor) -> None:
    logits = stage2(X[:1], T[:1])
    assert logits.shape == (1, 1, 320, 320)
    near(torch.stack([logits.sum(), logits.max(), logits.min()]), [-188652.48, 3.84228, -7.92440])
    diagonal = [0, 80, 160, 240, 319]
    near(logits[0, 0, diagonal, diagonal], [0.4250, -2.4588, -3.3299, 0.9204, 0.1203], absolute=1e-4)
    stage2.training = True
    try:
        four = stage2(X[:1], T[:1])
    finally:
        stage2.training = False
    near(torch.stack([part.sum() for part in four[1:]]), [-78692.44, 1268817.5, -130303.45])
    assert torch.equal(four[0], logits)


@torch.inference_mode()
def test_the_attention_pool_is_kept_whole_though_unused() -> None:
    pool = filled(AttentionPool(7, 64, 4, 16))
    assert isinstance(pool, AttentionPool)
    overall, local = pool(torch.randn(2, 64, 10, 10))
    assert overall.shape == (2, 16)
    assert local.shape == (2, 16, 10, 10)
    assert pool.positions(7, 7) is pool.positional_embedding
    assert STAGE1.pool_heads == 32
