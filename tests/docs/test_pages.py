"""The pages are true: commands and paths exist, links lead somewhere, the picture shows today's imports."""

from __future__ import annotations

import importlib
import importlib.util
import re
from types import ModuleType

import pytest
from helpers.pages_of_text import PAGES, TOP, blocks, spans, text_of


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOP / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_short_and_begins_with_picture_commands_and_python():
    lines = text_of("README.md").splitlines()
    assert len(lines) <= 150
    first = "\n".join(lines[:32])
    places = [first.index(part) for part in ("![", "make demo", "make test", "```python")]
    assert places == sorted(places)
    assert len([line for line in blocks("README.md", "python")[0].splitlines() if line]) <= 10


def test_the_readme_says_that_the_remote_sensing_data_set_is_something_else():
    assert "remote-sensing" in text_of("README.md")


def test_the_python_of_the_first_screen_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = blocks("README.md", "python")[0]
    assert "limit=20" in code
    exec(compile(code.replace("limit=20", "limit=2"), "README.md", "exec"), {"__name__": "readme"})
    assert "'value': 0." in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_every_page_is_python(page: str):
    for block in blocks(page, "python"):
        compile(block, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_between_back_ticks_exists(page: str):
    packages = r"(?:risbench|tris_model|baselines|reports|tests|docs|examples)"
    paths = [path for span in spans(page) for path in re.findall(rf"(?<![\w/.]){packages}/[\w./+-]*[\w/]", span)]
    assert [path for path in paths if "NAME" not in path and not (TOP / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str):
    found = [target for _, target in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", text_of(page))]
    paths = [target.partition("#")[0] for target in found if ":" not in target]
    assert [path for path in paths if path and not ((TOP / page).parent / path).exists()] == []


def test_every_page_below_docs_is_in_the_navigation():
    navigation = (TOP / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (TOP / "docs").rglob("*.md"):
        assert path.relative_to(TOP / "docs").as_posix() in navigation


@pytest.mark.parametrize("package", ["risbench", "tris_model"])
def test_every_public_name_is_on_its_page(package: str):
    shown = set(re.findall(rf"^::: {package}\.(\w+)$", text_of(f"docs/api/{package}.md"), re.MULTILINE))
    assert shown == set(importlib.import_module(package).__all__)


def test_the_picture_shows_todays_imports():
    draw = _module("draw_architecture")
    kept = draw.PICTURE.read_text(encoding="utf-8")
    assert kept == draw.picture(), "the imports have changed: python docs/draw_architecture.py, and look at the picture"
    assert "#c62828" not in kept  # no floor imports from one above it


def test_an_arrow_to_a_floor_above_would_be_red():
    draw = _module("draw_architecture")
    rows = draw.floors()
    assert "#c62828" in draw.drawn(rows, {(len(rows) - 1, len(rows) - 2)})
    assert "#c62828" not in draw.drawn(rows, {(len(rows) - 2, len(rows) - 1)})


KNOWN = {"index.md", "data.md", "api/x.md", "tris_model/README.md", "reports/pictures/demo.png"}


@pytest.mark.parametrize(
    ("page", "link", "there"),
    [
        ("index.md", "[data](docs/data.md#speed)", "[data](data.md#speed)"),
        ("index.md", "![demo](reports/pictures/demo.png)", "![demo](reports/pictures/demo.png)"),
        ("data.md", "[model](../tris_model/README.md)", "[model](tris_model/README.md)"),
        ("data.md", "[first](../README.md)", "[first](index.md)"),
        ("tris_model/README.md", "[data](../docs/data.md)", "[data](../data.md)"),
        ("data.md", "[source](../risbench/masks/lazy.py)", "source"),
        ("data.md", "[`code`](https://example.org)", "[`code`](https://example.org)"),
        ("data.md", "```\n[x](../README.md)\n```", "```\n[x](../README.md)\n```"),
        ("data.md", "[gone](gone.md)", "[gone](gone.md)"),  # MkDocs reports it
    ],
)
def test_a_link_leads_on_the_site_where_it_leads_in_the_checkout(page: str, link: str, there: str):
    assert _module("pages").for_site(link, page, KNOWN) == there
