"""``risbench weights show`` and ``convert`` for the rivals: found by the file, each tensor once, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.amrs import amr_state, tripled
from helpers.commands import Ask
from helpers.gbss import checkpoint_of as gbs_checkpoint
from helpers.gbss import gbs
from helpers.lavts import checkpoint_of, lavt
from safetensors.torch import load_file

import baselines.amr
import baselines.cts_style
import baselines.lavt
from baselines.amr.converter import converter as of_amr
from baselines.cts_style.converter import converter as of_cts
from baselines.gbs import weights_file as baselines_gbs
from baselines.gbs.converter import converter as of_gbs
from baselines.lavt.converter import converter as of_lavt
from risbench import DataError, UsageError
from tris_model import digest


@pytest.mark.parametrize("kind", ["lavt", "lavt_one"])
def test_a_converted_lavt_computes_what_the_authors_file_does(tmp_path: Path, kind: str):
    source, out = tmp_path / "theirs.pth", tmp_path / "ours.safetensors"
    torch.save(checkpoint_of(lavt(), kind, pooler=True, positions=True), source)
    record = of_lavt.convert(source, out)
    assert record["metadata"]["source_sha256"] == digest(source)
    assert not any("pooler" in key or "position_ids" in key for key in load_file(out))
    images, ids = torch.randn(1, 3, 64, 64, generator=torch.manual_seed(0)), torch.tensor([[2, 6, 7, 3]])
    with torch.inference_mode():
        theirs, ours = (baselines.lavt.load(path)(images, ids, ids > 0) for path in (source, out))
        heads = [baselines.lavt.load(path, mha=(2, 2, 2, 2))(images, ids, ids > 0) for path in (source, out)]
    assert torch.equal(theirs, ours)
    assert torch.equal(*heads)
    assert not torch.equal(heads[0], ours)


def test_a_converted_amr_has_each_tensor_once_and_computes_the_same(tmp_path: Path):
    source, out = tmp_path / "res50_amr.pth.pth", tmp_path / "ours.safetensors"
    torch.save(tripled(amr_state()), source)
    record = of_amr.convert(source, out)
    assert record["keys"] == len(load_file(out)) < len(torch.load(source, weights_only=True))
    images = torch.randn(2, 3, 64, 64, generator=torch.manual_seed(0))
    with torch.inference_mode():
        theirs, ours = (baselines.amr.load(path)(images) for path in (source, out))
    assert torch.equal(theirs[0], ours[0])
    assert torch.equal(theirs[1], ours[1])


@pytest.mark.parametrize("name", ["lavt", "amr", "wwbl", "gbs", "mg", "cts_style"])
def test_the_shipped_file_is_shown_by_its_own_reader(ask: Ask, name: str):
    path = Path(baselines.amr.__file__).parents[1] / "weights" / f"shapes_{name}.safetensors"
    result = ask("weights", "show", path, "--json")
    assert result.code == 0, result.err
    record = json.loads(result.out)
    card = json.loads((path.parent / f"{name}.json").read_text())["files"][path.name]
    assert record["method"] == name
    assert record["sha256"] == card["sha256"]


def test_a_converted_gbs_has_todays_names_and_its_words_and_computes_what_the_checkpoint_does(tmp_path: Path):
    source, out = tmp_path / "checkpoint.dict", tmp_path / "ours.safetensors"
    torch.save(gbs_checkpoint(gbs(), old=True), source)
    of_gbs.convert(source, out)
    assert not any(key.startswith(("model.", "image_model.", "up_blocks.")) for key in load_file(out))
    theirs, ours = (baselines_gbs.load_with_origin(path) for path in (source, out))
    images, text = (
        torch.rand(1, 3, 64, 64, generator=torch.manual_seed(0)),
        torch.rand(1, theirs.network.config.bert.width),
    )
    with torch.inference_mode():
        assert torch.equal(theirs.network(images, text), ours.network(images, text))
    assert theirs.bert is not None
    assert ours.bert is not None
    for name, value in theirs.bert.state_dict().items():
        assert torch.equal(value, ours.bert.state_dict()[name]), name


def test_a_converted_cts_style_stands_alone_without_the_clip_that_it_started_from(tmp_path: Path):
    shipped, out = (
        Path(baselines.amr.__file__).parents[1] / "weights/shapes_cts_style.safetensors",
        tmp_path / "ours.pth",
    )
    record = of_cts.convert(shipped, out)
    assert not {"text_clip", "text_clip_sha256", "leave_out"} & set(record["metadata"])
    held = torch.load(out, weights_only=True)["model"]
    assert "first.backbone.ln_final.weight" in held
    packed, whole = (baselines.cts_style.load(path).first.state_dict() for path in (shipped, out))
    for name, value in packed.items():
        assert torch.equal(value, whole[name]), name


def test_what_is_no_file_of_the_method_is_not_claimed_and_is_refused(tmp_path: Path):
    torch.save({"anything.weight": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    for name in ("other.pth", "empty.pth", "absent.pth"):
        assert not of_lavt.claims(tmp_path / name)
        assert not of_amr.claims(tmp_path / name)
    with pytest.raises(DataError, match="and no AMR network"):
        of_amr.describe(tmp_path / "other.pth")
    with pytest.raises(UsageError, match=r"must end in \.safetensors or \.pth"):
        of_lavt.convert(tmp_path / "other.pth", tmp_path / "out.bin")
