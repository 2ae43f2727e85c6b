import numpy as np


class Brightest:
    card = {"grade": "native", "supervision": "none"}

    def predict(self, image, texts):  # uint8 (H, W, 3) and a list of str
        heat = image.mean(axis=2, dtype=np.float32) / 255
        return [heat] * len(texts)  # a heat (float) or a mask (bool) for each


def make(*, weights=None, device="cpu"):
    return Brightest()
