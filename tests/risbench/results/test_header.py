"""The header of a run: typed, checked by its own types, and written as it was read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from risbench import DataError
from risbench.results import schema
from risbench.results.header import Header, MethodRecord, PartRecord
from risbench.results.jsonrecord import from_json, kinds_of, to_json
from risbench.results.kinds import check
from risbench.results.run import Run

GOLDEN = Path(__file__).parents[2] / "golden" / "run-schema-1"


@pytest.fixture
def record() -> dict[str, Any]:
    return json.loads((GOLDEN / "header.json").read_text(encoding="utf-8"))


def test_a_header_is_written_as_it_was_read(record: dict[str, Any]):
    header = from_json(Header, record)
    assert json.dumps(to_json(header), indent=2) + "\n" == (GOLDEN / "header.json").read_text(encoding="utf-8")


def test_the_attributes_of_a_header_are_its_keys(record: dict[str, Any]):
    header = Run.load(GOLDEN).about
    assert (header.method.name, header.rules.name, header.limit) == ("centre", "tris", 2)
    assert header.split.counts.images == record["split"]["counts"]["images"]
    assert [source.file for source in header.split.sources] == ["refs(drawn).p", "instances.json"]
    assert header.provenance[0].machine.cores == 2


def test_the_mapping_and_the_typed_header_are_one_thing():
    run = Run.load(GOLDEN)
    run.header["arguments"]["weights"] = "c.pth"
    assert (run.about.arguments.weights, run.header["rules"]["name"]) == ("c.pth", run.about.rules.name)


def test_keys_of_other_versions_are_written_again_in_their_places(record: dict[str, Any]):
    record = {"made_by": "another", **record}
    record["provenance"][0] = {"n": 1, **record["provenance"][0], "mood": {"a": [1]}}
    header = from_json(Header, record)
    assert json.dumps(to_json(header)) == json.dumps(record)
    changed = to_json(replace(header, data_root="elsewhere"))
    assert json.dumps(changed) == json.dumps({**record, "data_root": "elsewhere"})


def test_a_key_that_is_absent_stays_absent_until_it_has_a_value(record: dict[str, Any]):
    header = from_json(Header, record)
    assert (header.refine, header.truth, header.origin) == (None, None, None)
    assert "refine" not in to_json(header)
    part = replace(header.provenance[0], finished="2026-01-02T03:04:05Z")
    assert list(to_json(part)) == [*record["provenance"][0], "finished"]
    assert header.provenance[0].source == record["provenance"][0]


def test_what_is_made_here_has_every_key_in_the_order_of_the_fields():
    made = MethodRecord(name="m", entry_point=None, card={"grade": "native"})
    assert json.dumps(to_json(made)) == '{"name": "m", "entry_point": null, "card": {"grade": "native"}}'


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("method",), "centre", "method is str, not an object"),
        (("method", "name"), None, "method.name is null, not str"),
        (("rules", "threshold"), True, "rules.threshold is bool, not int or float or NoneType"),
        (("split", "sources"), {}, "split.sources is dict, not a list"),
        (("split", "counts", "refs"), 1.5, "split.counts.refs is 1.5, not int"),
        (("shard",), 3, "shard is int, not list"),
        (("provenance", 0, "machine", "cores"), "two", r"provenance\[0\].machine.cores is str, not int"),
        (("provenance", 0, "finished"), 5, r"provenance\[0\].finished is int, not str"),
    ],
)
def test_a_value_of_another_type_than_its_field_is_refused(
    record: dict[str, Any], place: tuple[Any, ...], value: Any, fault: str
):
    *way, last = place
    inner: Any = record
    for key in way:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(DataError, match=f"header: {fault}".replace("NoneType", "null")):
        check(record, schema.HEADER, "header")


def test_fields_with_a_default_alone_may_be_absent(record: dict[str, Any]):
    for key in record:
        short = {name: value for name, value in record.items() if name != key}
        with pytest.raises(DataError, match=f"header: {key} is absent"):
            check(short, kinds_of(Header), "header")
    part = record["provenance"][0]
    for key in ("command", "python", "device"):
        check({name: value for name, value in part.items() if name != key}, kinds_of(PartRecord), "part")
