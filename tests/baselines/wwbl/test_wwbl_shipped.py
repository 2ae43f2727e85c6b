"""The small WWbL in the box: the file of its card, small, the default on drawn scenes, and better than its teacher."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from baselines import clip_gae
from baselines.weights.pack import FOLDER, MOST
from baselines.wwbl.method import DRAWN_THRESHOLD, make
from baselines.wwbl.weights_file import SHIPPED
from risbench import Scorer, load_split
from tris_model import digest


def test_drawn_scenes_need_no_weights_to_be_named_and_the_file_is_that_of_the_card():
    (file,) = (FOLDER / name for name in json.loads((FOLDER / "wwbl.json").read_text())["files"])
    method = make(split="shapes_test")
    assert file == SHIPPED
    assert method.card["weights"] == digest(file)
    assert file.stat().st_size <= MOST
    assert (method.card["threshold"], method.card["trained_on"]) == (DRAWN_THRESHOLD, "drawn scenes")
    assert method.weights_notes == ()  # the CLIP beside it is the one that it was trained with


def test_it_lies_above_its_own_teacher_and_listens_to_the_text():
    methods = {"wwbl": make(split="shapes_val"), "clip_gae": clip_gae.make(split="shapes_val")}
    scorers = {name: Scorer("tris") for name in [*methods, "shuffled"]}
    for samples in load_split("shapes_val").first_images(8).by_image():
        image = np.asarray(Image.open(samples[0].image_path).convert("RGB"))
        texts = [sample.text for sample in samples]
        for name, method in methods.items():
            answers = method.predict(image, texts)
            for sample, answer in zip(samples, answers, strict=True):
                scorers[name].add(sample, answer)
            if name == "wwbl":
                for sample, answer in zip(samples, answers[::-1], strict=True):
                    scorers["shuffled"].add(sample, answer)
    score = {name: scorer.summary() for name, scorer in scorers.items()}
    for metric in ("mIoU", "PointM"):
        assert score["wwbl"][metric]["value"] > score["clip_gae"][metric]["value"]
        assert score["wwbl"][metric]["value"] > score["shuffled"][metric]["value"] + 0.02
