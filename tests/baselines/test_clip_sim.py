"""clip_sim: the cosine of every cell with every text, from files in both layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.clips import TINY, WORDS, openai_clip, tiny_clip
from PIL import Image
from torchvision import transforms

from baselines.clip_sim import CARD, make
from risbench import DataError, Settings, UsageError, evaluate, load_split
from risbench.methods.contract_check import check_method
from risbench.scoring.sweep import sweep
from tris_model import Clip, digest, load_clip, tokenize
from tris_model.files.architecture import detect_clip

# A method cuts its heat as torch resizes it, a sweep as the rules do. The last bits of torch's resize depend on its
# version and on the processor, so a pixel beside the cut may fall otherwise: less than this in any mean IoU.
_PIXELS = 1e-3
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(tiny_clip(tmp_path / "tiny.safetensors"))


def _alone(pool: Any, cells: torch.Tensor, **names: torch.Tensor) -> torch.Tensor:
    """OpenAI's pool as they call it, asked about one cell at a time, so that each can attend to itself alone."""
    rows = []
    for cell in cells:
        attended, _ = F.multi_head_attention_forward(
            cell[None, None], cell[None, None], cell[None, None], len(cell), pool.num_heads if names else pool.heads,
            None, torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]), None, None, False, 0.0,
            pool.c_proj.weight, pool.c_proj.bias, use_separate_proj_weight=True, training=False,
            q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight, v_proj_weight=pool.v_proj.weight,
        )  # fmt: skip
        rows.append(attended[0, 0])
    return F.normalize(torch.stack(rows), dim=1)


@pytest.mark.parametrize("positions", [False, True])
def test_a_cell_is_what_the_pool_says_of_it_alone(tiny: str, positions: bool):
    clip = load_clip(tiny)
    side = TINY.image_size
    squashed = Image.fromarray(PICTURE).resize((side, side), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(squashed)).permute(2, 0, 1) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        last = clip.encode_pyramid(((pixels - mean[:, None, None]) / deviation[:, None, None])[None])[3]
        cells = last[0].flatten(1).T
        if positions:
            cells = cells + clip.visual.attnpool.positional_embedding[1:]
        observed = _alone(clip.visual.attnpool, cells)
        result = F.normalize(clip.encode_text(tokenize(WORDS)), dim=1)
    expected = (result @ observed.T).unflatten(1, (6, 6)).numpy()
    found = make(weights=tiny, positions=positions).maps(PICTURE, WORDS).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_openais_layout_gives_what_open_clip_computes(tmp_path: Path):
    import open_clip

    network = openai_clip(tmp_path / "openai.pt")
    mean, deviation = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    squash = transforms.Resize((64, 64), transforms.InterpolationMode.BICUBIC)
    to_input = transforms.Compose([squash, transforms.ToTensor(), transforms.Normalize(mean, deviation)])
    with torch.inference_mode():
        visual = network.visual
        x = visual.stem(to_input(Image.fromarray(PICTURE))[None])
        last = visual.layer4(visual.layer3(visual.layer2(visual.layer1(x))))
        observed = _alone(visual.attnpool, last[0].flatten(1).T, open=torch.ones(1))
        result = F.normalize(network.encode_text(open_clip.get_tokenizer("RN50")(list(WORDS))), dim=1)
    expected = (result @ observed.T).unflatten(1, (2, 2)).numpy()
    found = make(weights=str(tmp_path / "openai.pt")).maps(PICTURE, WORDS).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_layout_of_openais_rn50_is_read_whole():
    from open_clip.model import CLIP

    with torch.device("meta"):
        theirs = CLIP(1024, {"image_size": 224, "layers": (3, 4, 6, 3), "width": 64}, {}, quick_gelu=True)  # type: ignore
        state = theirs.state_dict()
        ours = Clip(detect_clip(state)).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in state.items()}


def test_it_keeps_the_contract_of_a_method(tiny: str, shared_cache: Path):
    findings = check_method(make(weights=tiny), load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []


def test_a_heat_is_spread_from_0_to_1_and_the_mask_is_where_it_exceeds_the_threshold(tiny: str):
    for threshold in (0.0, 0.3, 0.9):
        for answer in make(weights=tiny, threshold=threshold).predict(PICTURE, WORDS):
            assert answer.heat.dtype == np.float32
            assert answer.heat.shape == (48, 48)
            assert (answer.heat.min(), answer.heat.max()) == (0.0, 1.0)
            grown = F.interpolate(torch.from_numpy(answer.heat)[None, None], size=(60, 90), mode="bilinear")[0, 0]
            # Several heats at once and one alone may go through other kernels, whose last bits differ.
            differ = answer.mask != (grown > threshold).numpy()
            assert (np.abs(grown.numpy()[differ] - threshold) < 1e-5).all()


def test_the_image_is_seen_once_and_a_text_read_once(tiny: str):
    method = make(weights=tiny)
    observed: list[torch.Size] = []
    read: list[torch.Size] = []
    method._heat_function._trunk.register_forward_hook(lambda _module, given, _out: observed.append(given[0].shape))
    method._opened.clip.transformer.register_forward_hook(lambda _module, given, _out: read.append(given[0].shape))
    answers = method.predict(PICTURE, [*WORDS, *WORDS])
    assert [shape[0] for shape in observed] == [1]
    assert [shape[0] for shape in read] == [len(WORDS)]
    for first, second in zip(answers[: len(WORDS)], answers[len(WORDS) :], strict=True):
        # Two columns of one product, which a processor's kernels may add up in another order.
        np.testing.assert_allclose(first.heat, second.heat, atol=1e-5)
    assert method.predict(PICTURE, []) == []


def test_a_larger_input_gives_more_cells(tiny: str):
    assert make(weights=tiny, size=96).maps(PICTURE, WORDS).shape == (3, 12, 12)
    assert make(weights=tiny, size=96, positions=True).maps(PICTURE, WORDS).shape == (3, 12, 12)
    with pytest.raises(UsageError, match="a multiple of 8"):
        make(weights=tiny, size=50)


def test_the_card_names_the_threshold_and_the_weights(tiny: str, tmp_path: Path):
    method = make(weights=tiny, threshold=0.7)
    assert method.card["threshold"] == 0.7
    assert method.card["weights"] == digest(Path(tiny))
    assert "drawn scenes" in method.card["extra_data"]
    assert method.parameter_count == sum(weight.numel() for weight in load_clip(tiny).parameters())
    openai_clip(tmp_path / "openai.pt")
    assert "unknown" in make(weights=str(tmp_path / "openai.pt")).card["extra_data"]
    assert make.card is CARD


def test_the_shipped_tiny_clip_is_asked_on_drawn_scenes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tris_model.files.names.FOLDER", tmp_path)
    with pytest.raises(UsageError, match=r"are incomplete.*clip"):
        make(split="shapes_val")
    tiny_clip(tmp_path / "shapes_clip.safetensors")
    by_split, by_name = make(split="shapes_val"), make(weights="shapes", split="refcoco_val")
    assert by_split.card["weights"] == by_name.card["weights"]
    for split in ("refcoco_val", None):
        with pytest.raises(UsageError, match=r"clip_sim needs a CLIP: get https.*RN50\.pt.*--weights shapes"):
            make(split=split)


def test_what_is_no_whole_clip_is_refused(tiny: str, tmp_path: Path):
    with pytest.raises(UsageError, match="no weights file"):
        make(weights=str(tmp_path / "absent.pt"))
    torch.save({"visual.stem.weight": torch.zeros(8, 3, 4, 4)}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="is not a CLIP: no visual"):
        make(weights=str(tmp_path / "other.pt"))
    with pytest.raises(UsageError, match="from 0 to below 1"):
        make(weights=tiny, threshold=1.5)


def test_a_threshold_found_by_a_sweep_is_one_to_be_set(tiny: str, tmp_path: Path, shared_cache: Path):
    """Under the rules ``clean``, whose resize is nearly the method's own, both count the same pixels."""
    split = load_split("shapes_val")
    heats = evaluate(make(weights=tiny), split, limit=3, out=tmp_path / "heats", settings=Settings(save_heat=True))
    found = sweep(heats.path, split.name, rules="clean", thresholds=(0.2, 0.6), metrics="mIoU")
    for threshold, value in zip(found.thresholds, found.values, strict=True):
        method = make(weights=tiny, threshold=threshold)
        run = evaluate(method, split, limit=3, rules="clean", out=tmp_path / str(threshold))
        assert run.summary["metrics"]["mIoU"]["value"] == pytest.approx(value[0], abs=_PIXELS)
