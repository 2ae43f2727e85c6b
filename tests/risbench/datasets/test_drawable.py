"""What no sample could use is refused before the first sample is made, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.annotations import CROWD, SIZE, annotation, image, ref, sentence, write_refer
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from made_up.methods import Heats

from risbench import DataError, evaluate, load_split
from risbench.datasets.audit import drawable

FARTHEST = 4 * (40 + 60) + 1000
SHAPE = [10, 5, 30, 5, 30, 25]
FAIR: list[Any] = [
    [SHAPE],
    [SHAPE, [12, 7, 40, 7, 40, 30]],
    [[FARTHEST, 5, 30, 5, 30, -FARTHEST]],
    [],
    [[]],
    [[1, 2]],
    [[], SHAPE],
    CROWD,
    [CROWD, CROWD],
]
BROKEN: list[Any] = [
    [[FARTHEST + 0.5, 5, 30, 5, 30, 25]],
    [SHAPE, [10, 5, 30, 5, 30, -1e9]],
    [[], [1, 1e200]],
    {"size": [41, 60], "counts": [41 * 60]},
    [CROWD, {"size": [40, 60], "counts": [7]}],
]
BOXES = st.sampled_from([[10, 5, 20, 20]] * 9 + [[10, 5, -1, 20], [10, 5, 20, -0.5]])


def write(root: Path, objects: list[tuple[Any, Any, bool]]) -> None:
    """Objects, each with its segmentation, box, and whether an expression refers to it."""
    anns = [annotation(n, 1, box, shape) for n, (shape, box, _) in enumerate(objects)]
    refs = [ref(n, n, 1, "val", [sentence(n, "x")]) for n, (*_, is_used) in enumerate(objects) if is_used]
    nothing = ref(99, None, 1, "val", [sentence(99, "not there")])
    write_refer(root, {"images": [image(1, SIZE)], "annotations": anns, "categories": []}, [*refs, nothing])


@examples(40)
@given(
    objects=st.lists(
        st.tuples(st.sampled_from([*FAIR * 3, *BROKEN]), BOXES, st.integers(0, 3).map(bool)), min_size=1, max_size=9
    ),
    piece=st.integers(1, 4),
)
def test_a_split_is_refused_if_one_of_its_samples_cannot_be_made(
    tmp_path_factory: pytest.TempPathFactory, objects: list[tuple[Any, Any, bool]], piece: int
):
    root = tmp_path_factory.mktemp("data")
    write(root, objects)
    split = load_split("refcoco_val", root)
    broken = set()
    for at in range(len(split)):
        try:
            split[at]
        except DataError as error:
            broken.add(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawable, "_PIECE", piece)
        if broken:
            with pytest.raises(DataError) as found:
                drawable.refuse_undrawable(load_split("refcoco_val", root))
            assert str(found.value) in broken
        else:
            drawable.refuse_undrawable(split)


def test_a_run_does_not_begin_if_its_last_annotation_is_broken(tmp_path: Path):
    write(tmp_path / "data", [([SHAPE], [10, 5, 20, 20], True), (BROKEN[0], [10, 5, 20, 20], True)])
    method = Heats()
    with pytest.raises(DataError, match="annotation 1: a polygon has a corner far outside the image"):
        evaluate(method, load_split("refcoco_val", tmp_path / "data"), out=tmp_path / "run")
    assert method.requests == []
    assert not (tmp_path / "run").exists()


def test_a_broken_annotation_whose_mask_another_file_replaces_is_no_hindrance(tmp_path: Path):
    write(tmp_path, [([SHAPE], [10, 5, 20, 20], True), (BROKEN[0], [10, 5, 20, 20], True)])
    split = load_split("refcoco_val", tmp_path)
    masks = tmp_path / "truth.json"
    lines = [f'{{"ref_id": {n}, "segmentation": {{"size": [40, 60], "counts": [100, 50, 2250]}}}}' for n in (0, 1)]
    masks.write_text(f"[{', '.join(lines)}]")
    drawable.refuse_undrawable(split.with_truth(masks))
    with pytest.raises(DataError, match="annotation 1"):
        drawable.refuse_undrawable(split)
