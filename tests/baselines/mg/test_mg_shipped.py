"""The small MG in the box: the file of its card, the default on drawn scenes, above the floors, led by the text."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from baselines.floors import centre, random_box
from baselines.mg.method import DRAWN_THRESHOLD, make
from baselines.mg.weights_file import SHIPPED
from baselines.weights.pack import FOLDER, MOST
from risbench import Scorer, load_split
from tris_model import digest


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card():
    (file,) = (FOLDER / name for name in json.loads((FOLDER / "mg.json").read_text())["files"])
    method = make(split="shapes_test")
    assert file == SHIPPED
    assert method.card["weights"] == digest(file)
    assert file.stat().st_size <= MOST
    assert (method.card["threshold"], method.card["trained_on"]) == (DRAWN_THRESHOLD, "drawn scenes")
    assert method.weights_notes == ()


def test_it_lies_above_the_floors_and_listens_to_the_text():
    methods = {"mg": make(split="shapes_val"), "centre": centre.make(), "random_box": random_box.make()}
    scorers = {name: Scorer("tris") for name in [*methods, "shuffled"]}
    for samples in load_split("shapes_val").first_images(12).by_image():
        image = np.asarray(Image.open(samples[0].image_path).convert("RGB"))
        texts = [sample.text for sample in samples]
        for name, method in methods.items():
            answers = method.predict(image, texts)
            for sample, answer in zip(samples, answers, strict=True):
                scorers[name].add(sample, answer)
            if name == "mg":
                for sample, answer in zip(samples, answers[::-1], strict=True):
                    scorers["shuffled"].add(sample, answer)
    score = {name: scorer.summary() for name, scorer in scorers.items()}
    for metric in ("mIoU", "PointM"):
        for other in ("centre", "random_box", "shuffled"):
            assert score["mg"][metric]["value"] > score[other][metric]["value"] + 0.02, (metric, other)
