"""Own data: one JSON becomes a split that every command knows."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.annotations import code_of, rectangle, write_image
from helpers.commands import Ask
from helpers.examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from risbench import load_split
from risbench.datasets.catalog import find
from risbench.datasets.imports.own import import_own
from risbench.errors import DataError, UsageError
from risbench.masks import union_of


def example_of(text: str) -> dict[str, Any]:
    """The example as the help shows it: what anybody would copy out of the terminal."""
    lines = text.splitlines()
    first = next(at for at, line in enumerate(lines) if line.strip() == "{")
    last = next(at for at, line in enumerate(lines) if at > first and line.rstrip() == "  }")
    return json.loads("\n".join(lines[first : last + 1]))


@pytest.fixture
def example(ask: Ask, tmp_path: Path) -> dict[str, Any]:
    """The example, and the image it names."""
    write_image(tmp_path / "photos/street.jpg", (40, 60))
    return example_of(ask("data", "import", "--help").out)


def write(tmp_path: Path, content: Any, name: str = "my.json") -> Path:
    (tmp_path / name).write_text(json.dumps(content))
    return tmp_path / name


def test_the_example_of_the_help_is_a_split_for_every_command(ask: Ask, tmp_path: Path, example: dict[str, Any]):
    write(tmp_path, example)
    result = ask("data", "import", "my.json", "--as", "mysplit", "--data-root", "data")
    assert result.code == 0, result.err
    assert result.out.startswith("mysplit: 1 image, 4 refs, 5 expressions; ")
    assert result.err.startswith("warning: expressions with a box and no mask: 1; ")
    root = ("--split", "mysplit", "--data-root", "data")
    ran = ask("run", "--method", "full", *root, "--out", "run", "--json")
    assert (ran.code, json.loads(ran.out)["count"], json.loads(ran.out)["partial"]) == (0, 5, False)
    scored = ask("score", "run/masks.jsonl", *root, "--rules", "clean", "--out", "again", "--json")
    assert (scored.code, json.loads(scored.out)["count"]) == (0, 5)
    checked = ask("data", "check", "mysplit", "--data-root", "data", "--json")
    assert (checked.code, json.loads(checked.out)[0]["ok"]) == (0, True)
    assert ask("report", "run", "--as", "markdown").code == 0
    assert ask("data", "where", "mysplit", "--data-root", "data").out.count("found") == 3
    listed = json.loads(ask("list", "splits", "--data-root", "data", "--json").out)
    assert listed[-1]["name"] == "mysplit"
    assert listed[-1]["expected"] == {"images": 1, "refs": 4, "expressions": 5}
    assert "mysplit" not in ask("list", "splits", "--data-root", "elsewhere", "--json").out


def test_its_samples_are_what_the_example_says(tmp_path: Path, example: dict[str, Any]):
    import_own(write(tmp_path, example), "mysplit", tmp_path / "data")
    samples = list(load_split("mysplit", tmp_path / "data"))
    assert [(sample.sent_id, sample.text) for sample in samples] == [
        (1, "the red car"),
        (2, "car on the left"),
        (3, "the dark door"),
        (4, "a sign"),
        (5, "the bus"),
    ]
    assert [sample.ref_id for sample in samples] == [0, 0, 1, 2, 3]
    assert [sample.category for sample in samples] == ["car", "car", None, None, None]
    assert samples[0].id == "mysplit/0/1"
    # The polygon's rectangle, and the code's run of 20 pixels down column 40.
    assert union_of(samples[0].parts, (40, 60)).sum() == 20 * 20
    assert (union_of(samples[2].parts, (40, 60)) == rectangle((40, 60), 40, 0, 41, 20)).all()
    door, sign, bus = samples[2:]
    assert door.box is not None
    assert (door.box.x0, door.box.y0, door.box.x1, door.box.y1) == (40, 0, 41, 20)
    assert sign.box is not None
    assert (sign.box.x0, sign.box.y0, sign.box.x1, sign.box.y1) == (40, 5, 55, 20)
    assert (sign.parts, bus.parts, bus.box) == ((), (), None)
    assert samples[0].image_path.read_bytes() == (tmp_path / "photos/street.jpg").read_bytes()


def test_doing_it_again_changes_nothing_and_another_file_is_refused(ask: Ask, tmp_path: Path, example: dict[str, Any]):
    write(tmp_path, example)
    command = ("data", "import", "my.json", "--as", "mysplit", "--data-root", "data")
    ask(*command)
    before = {file: file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()}
    assert "(there already)" in ask(*command).out
    example["expressions"][0]["text"] = "another"
    write(tmp_path, example)
    result = ask(*command)
    assert result.code == 2
    assert "is a split made of another file; move it away, or choose another name" in result.err
    assert {file: file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()} == before


def test_an_unknown_name_lists_own_names_among_the_near_ones(tmp_path: Path, example: dict[str, Any]):
    import_own(write(tmp_path, example), "mysplit", tmp_path / "data")
    with pytest.raises(UsageError, match="near names: mysplit"):
        load_split("mysplit2", tmp_path / "data")
    with pytest.raises(UsageError, match="unknown split 'mysplit'"):
        find("mysplit", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("refcoco_val", "a split of the catalog"),
        ("RefCOCO_testa", "a split of the catalog"),
        ("refcocoplus_val", "a split of the catalog"),
        ("shapes_mine", "begin like this"),
        ("refcocoplus_mine", "begin like this"),
        ("../mine", "letters"),
        ("a..b", "letters"),
        ("", "--from DIR"),
        (".hidden", "letters"),
        ("mine\n", "letters"),
        ("x" * 65, "letters"),
    ],
)
def test_a_name_that_is_taken_or_is_no_name_is_a_wrong_command(
    ask: Ask, tmp_path: Path, example: dict[str, Any], name: str, message: str
):
    write(tmp_path, example)
    result = ask("data", "import", "my.json", "--as", name, "--data-root", "data")
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "data").exists()


def _in(path: str, **change: Any) -> Callable[[dict[str, Any]], None]:
    """Changes keys of an entry: ``images.0`` or ``expressions.2``; None removes a key."""

    def changed(content: dict[str, Any]) -> None:
        key, _, number = path.partition(".")
        entry = content[key][int(number)] if number else content
        for name, value in change.items():
            if value is ...:
                del entry[name]
            else:
                entry[name] = value

    return changed


_SMALL = code_of(rectangle((20, 20), 1, 1, 5, 5))
_FAULTS = [
    (_in("", role="exam"), "'role' is 'exam'"),
    (_in("", images=[]), "'images' must be a list of at least one"),
    (_in("", expressions=[]), "'expressions' must be a list of at least one"),
    (_in("", expressions=...), "has no 'expressions'"),
    (_in("", splits=1), "'splits' is not a key of the file"),
    (_in("images.0", file="photos/gone.jpg"), "images[0]: {root}/photos/gone.jpg: no such image"),
    (_in("images.0", file="/etc/passwd"), "images[0]: '/etc/passwd' is not a plain path"),
    (_in("images.0", file="../street.jpg"), "images[0]: '../street.jpg' is not a plain path"),
    (_in("images.0", file="photos/../photos/street.jpg"), "is not a plain path"),
    (_in("images.0", file="photos\\street.jpg"), "is not a plain path"),
    (_in("images.0", file="C:/street.jpg"), "is not a plain path"),
    (_in("images.0", file="./photos/street.jpg"), "images[0]: write './photos/street.jpg' as 'photos/street.jpg'"),
    (_in("images.0", file=""), "images[0]: 'file' must be the name"),
    (_in("images.0", height=41), "images[0]: photos/street.jpg is 40x60 (height x width), its annotation says 41x60"),
    (_in("images.0", height=40.5), "images[0]: 'height' and 'width' must be whole numbers"),
    (_in("images.0", width=...), "images[0]: has no 'width'"),
    (lambda content: content["images"].append(content["images"][0]), "images[1]: 'photos/street.jpg' is listed twice"),
    (_in("expressions.1", text="  "), "expressions[1]: 'text' is empty"),
    (_in("expressions.1", text=3), "expressions[1]: 'text' is empty or not a text"),
    (_in("expressions.1", text=...), "expressions[1]: has no 'text'"),
    (_in("expressions.1", image="street.jpg"), "expressions[1]: 'street.jpg' is not a file of 'images'"),
    (_in("expressions.1", id=1), "expressions[1]: id 1 occurs twice"),
    (_in("expressions.1", id="1"), "expressions[1]: id '1' occurs twice"),
    (_in("expressions.1", id=...), "expressions[1]: give all expressions an 'id', or none"),
    (_in("expressions.1", id=True), "expressions[1]: 'id' must be a whole number or a text"),
    (_in("expressions.1", id="a/b"), "expressions[1]: id 'a/b' has a slash"),
    (_in("expressions.1", boxes=[]), "expressions[1]: 'boxes' is not a key of an expression"),
    (_in("expressions.1", category=7), "expressions[1]: 'category' must be a text"),
    (_in("expressions.2", mask=_SMALL), "expressions[2]: mask: run-length code of size (20, 20)"),
    (
        _in("expressions.2", mask={"size": [40, 60], "counts": [5]}),
        "expressions[2]: mask: run-length code: runs cover 5",
    ),
    (_in("expressions.2", mask={"size": [40, 60], "counts": [2400]}), "expressions[2]: its mask covers no pixel"),
    (_in("expressions.2", mask="all"), "expressions[2]: 'mask' is a str"),
    (_in("expressions.2", mask={}), "expressions[2]: 'mask' is {}"),
    (_in("expressions.2", mask=...), "expressions[2]: has neither 'mask' nor 'box'"),
    (_in("expressions.0", mask=[[1, 2, 3, 4]]), "expressions[0]: its mask covers no pixel"),
    (_in("images.0", height=60, width=40), "height and width are exchanged in the annotation"),
    (_in("expressions.0", mask=[[1, 2, 3, 4, 5, "6"]]), "expressions[0]: polygon 0: must be at least three"),
    (_in("expressions.0", mask=[1, 2, 3, 4, 5, 6]), "expressions[0]: polygon 0: must be at least three"),
    (_in("expressions.0", mask=[[0, 0, 9, 0, 9, 9], [0, 0, 70, 0, 70, 30]]), "expressions[0]: polygon 1: lies outside"),
    (_in("expressions.0", mask=[[0, -5, 9, 0, 9, 9]]), "expressions[0]: polygon 0: lies outside its image of 40x60"),
    (_in("expressions.0", box=[10, 5, 20, 10]), "12% in common"),
    (_in("expressions.3", box=[40, 5, 15, 15]), "expressions[3]: box [40, 5, 15, 15] has no area; a box is x0, y0"),
    (_in("expressions.3", box=[40, 5, 75, 20]), "expressions[3]: box [40, 5, 75, 20] lies outside"),
    (_in("expressions.3", box=[40, 5, 55]), "expressions[3]: 'box' must be four numbers"),
    (_in("expressions.3", box=[40, 5, 55, float("nan")]), "expressions[3]: 'box' must be four numbers"),
]


@pytest.mark.parametrize(("change", "fault"), _FAULTS, ids=[fault[:50] for _, fault in _FAULTS])
def test_a_fault_is_named_with_its_entry_and_nothing_is_made(
    tmp_path: Path, example: dict[str, Any], change: Callable[[dict[str, Any]], None], fault: str
):
    content = copy.deepcopy(example)
    change(content)
    with pytest.raises(DataError) as caught:
        import_own(write(tmp_path, content), "mysplit", tmp_path / "data")
    assert fault.replace("{root}", str(tmp_path)) in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "my.json"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([40, 60, "photos"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["size", "counts", "file"]), inner),
    max_leaves=12,
)


def _places(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [so_far, *(place for key in keys for place in _places(value[key], (*so_far, key)))]


@given(st.data())
@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_place_is_taken_or_named(tmp_path: Path, example: dict[str, Any], data: st.DataObject):
    content = copy.deepcopy(example)
    *path, last = data.draw(st.sampled_from(_places(content)[1:]))
    entry = content
    for key in path:
        entry = entry[key]
    entry[last] = data.draw(_VALUES)
    name = f"split{len(list(tmp_path.glob('data/own/*')))}"
    message = ""
    try:
        import_own(write(tmp_path, content), name, tmp_path / "data")
    except DataError as error:
        message = str(error)
    if message:
        assert message.startswith(str(tmp_path / "my.json"))
        assert "\n" not in message
    else:
        assert len(list(load_split(name, tmp_path / "data"))) == len(content["expressions"])


@pytest.mark.parametrize(("content", "fault"), [("[1]", "is a list"), ("{", "line 1: not JSON"), ("\xff", "not JSON")])
def test_what_is_no_such_json_is_one_line(ask: Ask, tmp_path: Path, content: str, fault: str):
    (tmp_path / "my.json").write_text(content)
    result = ask("data", "import", "my.json", "--as", "mysplit", "--data-root", "data")
    assert result.code == 1
    assert fault in result.err
    assert result.err.count("\n") == 1


def test_an_image_that_is_none_is_named(tmp_path: Path, example: dict[str, Any]):
    (tmp_path / "photos/street.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"images\[0\]: .*street.jpg: not an image that can be read"):
        import_own(write(tmp_path, example), "mysplit", tmp_path / "data")


def test_a_half_made_split_is_none_and_is_finished_by_the_next_try(tmp_path: Path, example: dict[str, Any]):
    made = import_own(write(tmp_path, example), "mysplit", tmp_path / "data")
    (made.folder / "split.json").unlink()
    with pytest.raises(UsageError, match="unknown split"):
        load_split("mysplit", tmp_path / "data")
    assert import_own(tmp_path / "my.json", "mysplit", tmp_path / "data").new
    assert len(load_split("mysplit", tmp_path / "data")) == 5


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "not JSON"),
        ("[]", "has no role or no counts"),
        ('{"role": "test"}', "has no role or no counts"),
        ('{"role": "test", "counts": {"images": 1, "refs": 4, "expressions": "5"}}', "a count is not a whole number"),
    ],
)
def test_a_split_with_a_broken_mark_is_named(tmp_path: Path, example: dict[str, Any], content: str, fault: str):
    made = import_own(write(tmp_path, example), "mysplit", tmp_path / "data")
    (made.folder / "split.json").write_text(content)
    with pytest.raises(DataError, match=fault):
        load_split("mysplit", tmp_path / "data")


def test_a_split_that_lost_expressions_is_partial(tmp_path: Path, example: dict[str, Any]):
    made = import_own(write(tmp_path, example), "mysplit", tmp_path / "data")
    mark = json.loads((made.folder / "split.json").read_text())
    mark["counts"]["expressions"] = 6
    (made.folder / "split.json").write_text(json.dumps(mark))
    assert load_split("mysplit", tmp_path / "data").partial


def test_copied_images_do_not_follow_the_users_own(tmp_path: Path, example: dict[str, Any]):
    write(tmp_path, example)
    linked = import_own(tmp_path / "my.json", "linked", tmp_path / "data").folder
    copied = import_own(tmp_path / "my.json", "copied", tmp_path / "data", copy=True).folder
    mine = tmp_path / "photos/street.jpg"
    assert (linked / "images/photos/street.jpg").samefile(mine)
    assert not (copied / "images/photos/street.jpg").samefile(mine)
