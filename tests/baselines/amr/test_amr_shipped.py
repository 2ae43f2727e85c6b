"""The small AMR of the drawn world in the box: the file of its card, and a network that knows its classes."""

from __future__ import annotations

import json

import numpy as np

import baselines.amr as amr
from baselines.amr.weights_file import SHIPPED
from baselines.floors.centre import Centre
from baselines.weights.pack import MOST
from risbench import load_split
from risbench.datasets.images import read_image
from risbench.masks import union_of
from tris_model import digest


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card():
    card = json.loads((SHIPPED.parent / "amr.json").read_text())
    assert card["files"][SHIPPED.name]["sha256"] == digest(SHIPPED)
    assert SHIPPED.stat().st_size == card["files"][SHIPPED.name]["bytes"] <= MOST
    assert card["recipe"]["split"] == "shapes_train"
    assert card["data"] == "the scenes of shapes_train, drawn by risbench.datasets.shapes"
    assert card["earlier"]["amr_cam"]["steps"] == 7 * 187
    method = amr.make(split="shapes_val")
    assert method.card["weights"] == digest(SHIPPED)
    assert (method.card["trained_on"], method.card["extra_data"]) == ("drawn scenes", "none")
    assert (method.card["model"], method.card["threshold"]) == ("1 scale, adv_iter 1", 0.3)


def test_it_points_at_the_class_that_is_named_and_cannot_tell_its_objects_apart():
    split, method = load_split("shapes_val").first_images(10), amr.make(split="shapes_val")
    floor = Centre()
    alone, several, by_chance, ious = [], [], [], []
    for samples in split.by_image():
        image = read_image(samples[0].image_path)
        objects = split.objects(samples[0].image_id)
        texts = [sample.text for sample in samples]
        centre = floor.predict(image, texts)[0].mask
        for sample, answer in zip(samples, method.predict(image, texts), strict=True):
            truth = union_of(sample.parts, sample.size)
            hit = bool(truth[np.unravel_index(answer.heat.argmax(), truth.shape)])
            of_class = sum(item.category == sample.category for item in objects)
            (alone if of_class == 1 else several).append(hit)
            if of_class > 1:
                by_chance.append(1 / of_class)
            own, other = ((mask & truth).sum() / (mask | truth).sum() for mask in (answer.mask, centre))
            ious.append((own, other))
    assert np.mean(alone) > 0.5
    assert np.mean(several) < np.mean(by_chance) + 0.1  # a perfect detector of classes would reach chance
    ours, centres = np.mean(ious, axis=0)
    assert ours > 1.5 * centres
