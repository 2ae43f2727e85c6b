"""Lines of ``masks.jsonl``: write a prediction as a line, and read it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import MaskError
from ..masks import LazyMask
from ..records import Prediction, Sample


def line_of(name: str, mask: LazyMask, prediction: Prediction, point: tuple[float, float] | None, rules: str) -> str:
    """The line of a scored prediction.

    Args:
        name: the sample's id.
        mask: the scored mask: the method's own, or cut from the heat by the rules.
        prediction: the method's prediction. Its boxes and point are stored even if the rules do not use them.
        point: the scored point, if any.
        rules: the name of the rules. It is stored as ``cut`` if they cut the mask, and as ``found`` if they found the
            point, because other rules may give another mask or point.
    """
    line: dict[str, Any] = {"id": name, "segmentation": mask.code}
    if prediction.mask is None:
        line["cut"] = rules
    if prediction.point is not None:
        point = prediction.point
    elif point is not None:
        line["found"] = rules
    if point is not None:
        line["point"] = [float(point[0]), float(point[1])]
    if prediction.boxes is not None:
        line["boxes"] = prediction.boxes.tolist()
    return json.dumps(line, ensure_ascii=False)


def missing_line(sample: Sample) -> str:
    """The line of a sample without a prediction: an empty mask, marked."""
    line = {"id": sample.id, "segmentation": LazyMask.of_parts((), sample.size).code, "missing": True}
    return json.dumps(line, ensure_ascii=False)


def prediction_in(line: Mapping[str, Any]) -> Prediction:
    """The prediction that a parsed line holds; the mask's code is checked.

    Raises:
        MaskError: no mask, or one that is malformed.
    """
    if not isinstance(line.get("segmentation"), dict):
        raise MaskError(f"has no 'segmentation' with 'size' and 'counts'{_cause(line)}")
    return Prediction(mask=LazyMask.of_code(line["segmentation"]), point=line.get("point"), boxes=line.get("boxes"))


def _cause(line: Mapping[str, Any]) -> str:
    """What the line holds instead of a mask, with the next step."""
    found = line.get("segmentation")
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return ": it is a list; give one code, of the union of its masks (pycocotools.mask.merge)"
    if isinstance(found, list) and found:
        return (
            ": it is a list of polygons; give the run-length code of the mask they fill "
            "(pycocotools.mask.frPyObjects(polygons, height, width), then merge)"
        )
    if "counts" in line:
        return ': \'counts\' is outside of it; write {"segmentation": {"size": …, "counts": …}}'
    others = [key for key in ("mask", "rle", "pred_mask", "bbox") if key in line]
    return f": it has '{others[0]}'; a mask must be under 'segmentation'" if found is None and others else ""
