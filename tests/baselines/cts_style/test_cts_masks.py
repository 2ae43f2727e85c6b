"""Proposals and pseudo masks: within the box, chosen by overlap, brought by a file, and a folder that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools import mask as coco

from baselines.cts_style import best_proposal, proposals
from baselines.cts_style.boxed import BoxedObject, boxed_objects, pixels_of
from baselines.cts_style.contour import ContourNetwork, ContourSizes
from baselines.cts_style.contour_train import ContourStage, ContourTrainer
from baselines.cts_style.proposal_file import ProposalFile
from baselines.cts_style.pseudo_masks import MaskRecipe, pseudo_masks, read_mask, write_masks
from risbench import DataError, UsageError, load_split
from risbench.datasets.images import read_image
from risbench.masks import union_of
from risbench.records import Box
from tris_model.files import write

SIZES = ContourSizes(side=16, width=4, depth=1)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red disc on noisy grey, 60 x 80, and where it is."""
    draw = np.random.default_rng(0)
    image = (120 + draw.integers(-8, 9, (60, 80, 3))).astype(np.uint8)
    rows, columns = np.mgrid[:60, :80]
    disc = (rows - 30) ** 2 + (columns - 40) ** 2 <= 15**2
    image[disc] = (200, 30, 40)
    return image, disc


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_disc_is_cut_out_of_its_background():
    image, disc = scene()
    found = proposals(image, (25, 15, 56, 46))
    assert found.dtype == bool
    assert found.shape[1:] == (60, 80)
    assert max(iou(one, disc) for one in found) > 0.97
    inside = np.zeros((60, 80), bool)
    inside[15:46, 25:56] = True
    assert not (found & ~inside).any()
    assert found.any((1, 2)).all()
    assert len({one.tobytes() for one in found}) == len(found)
    assert np.array_equal(found, proposals(image, (25, 15, 56, 46)))  # nothing is left to chance


@pytest.mark.parametrize("box", [(0, 0, 80, 60), (10, 10, 10.2, 10.2), (0, 0, 1, 60), (-5, -5, 2, 2)])
def test_boxes_that_cannot_be_cut_are_a_proposal_themselves_or_cut_to_something(box):
    image, _ = scene()
    found = proposals(image, box)
    assert len(found) >= 1
    assert found.any((1, 2)).all()
    rows, columns = pixels_of(box, (60, 80))
    outside = np.ones((60, 80), bool)
    outside[rows, columns] = False
    assert not (found & outside).any()
    if box == (0, 0, 80, 60):
        assert found.all()
    assert len(proposals(np.zeros((1, 1, 3), np.uint8), (0, 0, 1, 1))) == 1
    assert proposals(np.zeros((16, 900, 3), np.uint8), (100, 2, 800, 14)).shape[1:] == (16, 900)


def test_the_best_proposal_has_the_largest_overlap_with_the_contour_above_the_threshold():
    contour = np.zeros((4, 4))
    contour[1:3, 1:3] = [[1.0, 0.6], [0.4, 0.2]]
    whole, left, one = np.zeros((3, 4, 4), bool)
    whole[1:3, 1:3] = left[1:3, 1] = one[1, 1] = True
    three = np.stack([whole, left, one])
    assert best_proposal(three, contour, 0.1) == 0  # 4 of 4
    assert best_proposal(three, contour, 0.3) == 0  # 3 of 4 against 2 of 3 and 1 of 3
    assert best_proposal(three[1:], contour, 0.3) == 0
    assert best_proposal(three, contour, 0.7) == 2  # 1 of 1
    assert best_proposal(three, contour, 1.0) == 2  # the largest value always counts
    assert best_proposal(three, contour / 5, 0.7) == 2  # in parts of the largest value
    assert best_proposal(np.stack([left, left]), contour, 0.3) == 0  # the first of equals
    assert best_proposal(three, contour * 0, 0.3) == 0
    with pytest.raises(DataError, match=r"N at least 1, like the contour map \(4, 4\), not \(0, 4, 4\)"):
        best_proposal(three[:0], contour)


def thing() -> BoxedObject:
    return BoxedObject("0_a", 7, Path("a.png"), (60, 80), Box(25, 15, 56, 46))


def coded(mask: np.ndarray) -> dict:
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [*map(int, code["size"])], "counts": code["counts"].decode()}


def write_proposals(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_brought_proposals_are_cut_to_the_box_and_most_of_one_must_lie_within(tmp_path: Path):
    _, disc = scene()
    wide, shifted = np.zeros((2, 60, 80), bool)
    wide[:, :] = True
    shifted[15:46, 30:60] = True
    path = write_proposals(
        tmp_path / "mcg.jsonl",
        [{"image_id": 3, "masks": []}, {"image_id": 7, "masks": [coded(one) for one in (disc, wide, shifted, disc)]}],
    )
    found = ProposalFile(path).proposals(thing())
    assert len(found) == 2
    assert np.array_equal(found[0], disc)
    assert np.flatnonzero(found[1].any(0)).tolist() == list(range(30, 56))
    nothing = ProposalFile(write_proposals(tmp_path / "b.jsonl", [{"image_id": "7", "masks": [coded(wide)]}]))
    assert nothing.proposals(thing()).sum() == 31 * 31  # the box itself
    image, _ = scene()
    network = ContourNetwork(SIZES).eval()
    (mask,) = pseudo_masks(network, image, [thing()], MaskRecipe(str(path)), ProposalFile(path))
    assert any(np.array_equal(mask, one) for one in found)


def test_files_of_proposals_that_cannot_be_used_are_refused_with_their_line(tmp_path: Path):
    with pytest.raises(UsageError, match=r"masks\.proposals: there is no file .*none\.jsonl; give a file with lines"):
        ProposalFile(tmp_path / "none.jsonl")
    good = {"image_id": 7, "masks": [coded(np.ones((60, 80), bool))]}
    for name, lines, words in (
        ("form", [good, {"image_id": 8, "mask": []}], r"form\.jsonl:2: not of the form"),
        ("twice", [good, good], r"twice\.jsonl:2: image 7 has a line before, 1"),
        ("kind", [{"image_id": True, "masks": []}], r"kind\.jsonl:1: not of the form"),
    ):
        with pytest.raises(DataError, match=words):
            ProposalFile(write_proposals(tmp_path / f"{name}.jsonl", lines))
    other = write_proposals(tmp_path / "size.jsonl", [{"image_id": 7, "masks": [coded(np.ones((6, 8), bool))]}])
    with pytest.raises(DataError, match=r"size\.jsonl:1: mask 0: its size is \(6, 8\), the image's \(60, 80\)"):
        ProposalFile(other).proposals(thing())
    broken = write_proposals(tmp_path / "code.jsonl", [{"image_id": 7, "masks": [{"size": [60, 80], "counts": "~"}]}])
    with pytest.raises(DataError, match=r"code\.jsonl:1: mask 0: run-length code"):
        ProposalFile(broken).proposals(thing())
    with pytest.raises(DataError, match="has no line for the image 7"):
        ProposalFile(write_proposals(tmp_path / "c.jsonl", [{"image_id": 9, "masks": []}])).proposals(thing())


def test_the_folder_goes_on_where_it_was_stopped_and_refuses_masks_of_something_else(tmp_path: Path):
    things = boxed_objects(load_split("shapes_val").first_images(3))
    network = ContourTrainer(ContourStage("shapes_val", limit=3, batch=2), torch.device("cpu"), None)
    contour, folder = tmp_path / "contour.safetensors", tmp_path / "masks"
    write(network.network.state_dict(), contour, network.metadata)
    recipe = MaskRecipe(processes=1)
    write_masks(things, contour, recipe, folder, "cpu")
    masks = {one.name: read_mask(folder, one) for one in things}
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    (folder / f"{things[0].name}.png").unlink()
    write_masks(things, contour, recipe, folder, "cpu")
    assert all(np.array_equal(read_mask(folder, one), masks[one.name]) for one in things)
    again = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    assert [name for name in times if again[name] != times[name]] == [f"{things[0].name}.png"]
    with pytest.raises(DataError, match=r"holds pseudo masks of another .*threshold is 0\.3 there and 0\.5 here"):
        write_masks(things, contour, MaskRecipe(threshold=0.5, processes=1), folder, "cpu")
    (folder / f"{things[0].name}.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be read"):
        read_mask(folder, things[0])


def test_pseudo_masks_of_drawn_scenes_are_close_to_masks_that_they_never_saw():
    split = load_split("shapes_val").first_images(8)
    samples = {sample.ref_id: sample for sample in split}
    network, found, boxes = ContourNetwork(SIZES).eval(), [], []
    for one, sample in zip(boxed_objects(split), samples.values(), strict=True):
        (mask,) = pseudo_masks(network, read_image(one.image_path), [one], MaskRecipe())
        truth = union_of(sample.parts, sample.size)
        inside = np.zeros(one.size, bool)
        inside[pixels_of(one.box, one.size)] = True
        found.append(iou(mask, truth))
        boxes.append(iou(inside, truth))
    assert np.mean(found) > 0.8
    assert np.mean(found) > np.mean(boxes) + 0.15
