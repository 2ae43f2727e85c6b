import numpy as np
import pytest

from risbench import UsageError
from risbench.metrics.metric import DEFAULT
from risbench.metrics.metric_names import parse, parse_all

_SPELLINGS = {
    "mIoU": ["miou", "IoU", "gIoU", "MIOU"],
    "oIoU": ["oiou", "cIoU", "ciou"],
    "P@0.5": ["p@.5", "P@0.50", "prec@0.5", "Pr@0.5", "precision@0.5"],
    "P@0.55": ["P@0.55"],
    "Accbox": ["accbox", "Accbox@0.5", "ACCBOX@.5"],
    "Accbox@0.7": ["accbox@0.70"],
    "PointIt": ["pointit"],
    "PointM": ["POINTM"],
}


@pytest.mark.parametrize(("canonical", "spelling"), [(c, s) for c, all_ in _SPELLINGS.items() for s in [c, *all_]])
def test_every_spelling_prints_the_canonical_name(canonical, spelling):
    assert parse(spelling).name == canonical
    assert parse(parse(spelling).name) == parse(spelling)


@pytest.mark.parametrize(("wrong", "near"), [("mIuO", "mIoU"), ("PointN", "Point"), ("P@5", "between 0 and 1")])
def test_a_wrong_name_is_told_the_near_one(wrong, near):
    with pytest.raises(UsageError, match=near):
        parse(wrong)


def test_the_default_is_ten_canonical_names():
    assert tuple(metric.name for metric in parse_all(None)) == DEFAULT


def test_values_by_hand():
    columns = {
        "intersection": np.array([5.0, 0.0, 7.0, 0.0]),
        "union": np.array([10.0, 4.0, 10.0, 0.0]),
        "hit_box": np.array([1.0, 0.0, np.nan, 1.0]),
        "hit_mask": np.array([np.nan] * 4),
        "box_iou": np.array([0.5, 0.51, 0.9, 0.0]),
    }

    def value(name):
        above, below = parse(name).terms(columns)
        return above.sum() / below.sum(), parse(name).counted(columns)

    assert value("mIoU") == (pytest.approx(1.2 / 4), 4)
    assert value("oIoU") == (12 / 24, 4)
    assert value("P@0.5") == (2 / 4, 4)  # at 0.5 exactly it counts
    assert value("P@0.7") == (1 / 4, 4)
    assert value("Accbox") == (2 / 4, 4)  # at 0.5 exactly it does not
    assert value("Accbox@0.6") == (1 / 4, 4)
    assert value("PointIt") == (2 / 3, 3)
    assert parse("PointM").counted(columns) == 0
