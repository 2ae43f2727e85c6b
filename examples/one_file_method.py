"""A method as one file: any object with ``predict``. Run it: ``python examples/one_file_method.py``."""

from __future__ import annotations

import numpy as np

import risbench


class WordSide:
    """Answers with the half of the image that the expression names: left, right, top or bottom."""

    card = {"supervision": "none", "grade": "native", "licence": "MIT"}  # noqa: RUF012 - never changed

    def predict(self, image: np.ndarray, texts: list[str]) -> list[np.ndarray]:
        """One mask for each text, bool ``(H, W)``; image uint8 ``(H, W, 3)``."""
        return [self._half(image.shape[0], image.shape[1], text.split()) for text in texts]

    def _half(self, height: int, width: int, words: list[str]) -> np.ndarray:
        mask = np.ones((height, width), dtype=bool)
        if "left" in words:
            mask[:, width // 2 :] = False
        if "right" in words:
            mask[:, : width // 2] = False
        if "top" in words:
            mask[height // 2 :] = False
        if "bottom" in words:
            mask[: height // 2] = False
        return mask


if __name__ == "__main__":
    run = risbench.evaluate(WordSide(), "shapes_val", rules="clean", limit=10)
    for metric, figure in run.summary["metrics"].items():
        if figure["value"] is not None:  # a mask alone has no point, so PointIt and PointM have no figure
            print(f"{metric:8} {100 * figure['value']:5.1f}  ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})")
    print(run.path)
