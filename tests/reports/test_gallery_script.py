"""The gallery's script: masks as Python decodes them, filters and orders as they are named; in node and in Chromium."""

from __future__ import annotations

import html
import json
import re
import subprocess
from importlib.resources import files

import numpy as np
import pytest
from helpers.waiting import GUARD
from made_up.samples import blobs

from reports import gallery
from risbench import load_split
from risbench.masks import encode
from risbench.statistics.failures import failures_of


def _result(node, code: str, given: object = None) -> object:
    done = subprocess.run([node, "-e", code], input=json.dumps(given), capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _source(*names: str) -> str:
    return "\n".join((files("reports.gallery") / name).read_text(encoding="utf-8") for name in names)


_GIVEN = "\nconst given = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"


def test_the_script_decodes_masks_as_python_does(node):
    generator = np.random.default_rng(0)
    masks = [blobs(generator, (60, 47)), np.zeros((3, 5), bool), np.ones((4, 2), bool), blobs(generator, (300, 410))]
    code = _source("masks.js") + _GIVEN + "console.log(JSON.stringify(given.map((r) => [...maskOf(r.counts, r.size)])))"
    found = _result(node, code, [encode(mask) for mask in masks])
    for mask, flat in zip(masks, found, strict=True):
        assert np.array_equal(np.array(flat, bool).reshape(mask.T.shape).T, mask)


def test_the_script_reads_runs_longer_than_shifts_hold(node):
    runs = [0, 3_000_000_000, 7, 1_294_967_289]
    code = _source("masks.js") + _GIVEN + "console.log(JSON.stringify(runsOf(given.counts)))"
    assert sum(runs) == 65536 * 65536
    assert _result(node, code, {"counts": _packed(runs)}) == runs


def _packed(runs: list[int]) -> str:
    """COCO's packing in plain Python; its C code counts in 32 bits."""
    text = ""
    for place, run in enumerate(runs):
        value = run - (runs[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 if more else bits))
    return text


def test_a_contour_lies_inside_its_mask_and_the_halo_outside(node):
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    code = (
        _source("masks.js")
        + _GIVEN
        + (
            "const at = (h, w) => sampled(maskOf(given.counts, given.size), given.size, h, w);"
            "console.log(JSON.stringify([...zones(at(40, 60), 40, 60, 2)]))"
        )
    )
    zone = np.array(_result(node, code, encode(mask))).reshape(40, 60)
    large = np.kron(mask, np.ones((2, 2), bool))
    assert np.array_equal((zone == 1) | (zone == 2), large)
    assert (zone == 2).sum() == large.sum() - 16 * 20
    assert (zone == 3).sum() == 2 * (20 + 24)


_HIT, _MISS, _NEITHER = [5, 10, True, False, None, False], [0, 9, False, False, None, False], [0, 0, *[None] * 3, True]
_BOTH, _POOR, _FAIR = (
    [9, 10, True, True, None, False],
    [1, 4, True, True, None, False],
    [9, 10, False, False, None, False],
)
_HIT, _FAIR, _BOTH = [*_HIT, "right"], [*_FAIR, "right"], [*_BOTH, "right"]
_MISS, _POOR, _NEITHER = [*_MISS, "background"], [*_POOR, "partial"], [*_NEITHER, "empty"]
OVERVIEW = {
    "images": [[1, 10, 10], [2, 20, 10]],
    "samples": [
        {"id": "s/1/1", "image": 0, "text": "Red cat", "area": 10, "category": "cat", "scores": [_HIT, _MISS]},
        {"id": "s/1/2", "image": 0, "text": "a  cup here", "area": 5, "category": "cup", "scores": [_NEITHER, _POOR]},
        {"id": "s/2/3", "image": 1, "text": "dog", "area": 50, "scores": [_FAIR, _BOTH]},
    ],
}
CHOICES = [
    ({}, [1, 0, 2]),
    ({"sort": "best"}, [2, 0, 1]),
    ({"sort": "worst", "run": "1"}, [0, 1, 2]),
    ({"sort": "apart"}, [0, 1, 2]),
    ({"sort": "long"}, [1, 0, 2]),
    ({"sort": "short"}, [2, 0, 1]),
    ({"sort": "small"}, [1, 0, 2]),
    ({"sort": "large"}, [2, 0, 1]),
    ({"sort": "order"}, [0, 1, 2]),
    ({"words": "RED cat"}, [0]),
    ({"words": "s/2"}, [2]),
    ({"words": "nothing"}, []),
    ({"category": "cup"}, [1]),
    ({"hit": "box"}, [0]),
    ({"hit": "off-mask"}, [0, 2]),
    ({"hit": "half"}, [0, 2]),
    ({"hit": "missing"}, [1]),
    ({"outcome": "right"}, [0, 2]),
    ({"outcome": "right", "run": "1"}, [2]),
    ({"outcome": "same_class"}, []),
    ({"iouLow": "50", "iouHigh": "90"}, [0, 2]),
    ({"iouLow": "50.1"}, [2]),
    ({"lengthLow": "2", "lengthHigh": "2"}, [0]),
    ({"areaLow": "25"}, [2]),
    ({"areaHigh": "10"}, [1, 0]),
    ({"iouLow": "nonsense"}, [1, 0, 2]),
]


def test_filters_and_orders_do_what_they_say(node):
    plain = {"run": "0", "words": "", "sort": "worst", "hit": "", "category": "", "form": "", "outcome": ""}
    code = (
        _source("choose.js")
        + _GIVEN
        + "const places = given[1].map((one) => chosen(given[0], measured(given[0]), one).map((found) => found.place));"
        "console.log(JSON.stringify(places))"
    )
    found = _result(node, code, [OVERVIEW, [{**plain, **choice} for choice, _ in CHOICES]])
    assert [(choice, one) for (choice, _), one in zip(CHOICES, found, strict=True)] == CHOICES


@pytest.fixture(scope="module")
def page(drawn_runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "gallery.html"
    gallery.render(drawn_runs, out=out)
    return out


def test_the_page_opens_worst_first_and_follows_its_controls(node, page, here, drawn_runs):
    code = f"""
    const {{ opened }} = require({json.dumps(str(here / "dom.js"))});
    const page = opened(require("fs").readFileSync({json.dumps(str(page))}, "utf8"));
    const at = (id) => page.getElementById(id);
    const set = (id, value) => {{ at(id).value = value; at("controls").fire("input", {{ target: at(id) }}); }};
    const first = () => at("cards").children[0].textContent;
    const state = {{ title: at("title").textContent, count: at("count").textContent, worst: first() }};
    set("sort", "best");
    state.best = first();
    set("words", "zzz");
    state.none = at("count").textContent;
    set("words", "");
    set("show", "truth");
    const canvas = at("cards").all((one) => one.tagName === "CANVAS")[0];
    state.painted = [...canvas.picture.data].some((value, place) => value === 230 && place % 4 === 0);
    at("cards").children[0].children[0].fire("click");
    state.large = at("large").open;
    console.log(JSON.stringify(state));
    """
    result = _result(node, code)
    ious = [row.iou for row in drawn_runs[0].rows()]
    assert result["title"] == "risbench gallery: shapes_val"
    assert result["count"].startswith(f"{len(ious)} of {len(ious)} expressions, mIoU {100 * np.mean(ious):.1f}")
    assert f"centre IoU {100 * min(ious):.1f}" in result["worst"]
    assert f"centre IoU {100 * max(ious):.1f}" in result["best"]
    assert result["none"].startswith("None of")
    assert result["painted"]
    assert result["large"]


def test_the_address_keeps_filters_page_and_the_enlarged_expression(node, page, here):
    code = f"""
    const {{ opened }} = require({json.dumps(str(here / "dom.js"))});
    const html = require("fs").readFileSync({json.dumps(str(page))}, "utf8");
    const states = [];
    const look = (page) => states.push({{
      hash: window.location.hash, sort: page.getElementById("sort").value, words: page.getElementById("words").value,
      show: page.getElementById("show").value, first: page.getElementById("cards").children[0].textContent,
      page: page.getElementById("page").textContent, open: Boolean(page.getElementById("large").open),
      text: page.getElementById("large").textContent,
    }});
    let page = opened(html, "#many=24");
    look(page);
    const set = (id, value) => {{
      page.getElementById(id).value = value;
      page.getElementById("controls").fire("input", {{ target: page.getElementById(id) }});
    }};
    set("sort", "best");
    set("show", "truth");
    page.getElementById("after").fire("click");
    page.getElementById("cards").children[1].children[0].fire("click");
    look(page);
    page = opened(html, window.location.hash);
    look(page);
    page = opened(html, "#many=24&sort=nonsense&page=x&open=nothing&unknown=1");
    look(page);
    console.log(JSON.stringify(states));
    """
    start, changed, again, odd = _result(node, code)
    assert start["hash"] == "#many=24"
    assert changed["open"]
    assert "sort=best" in changed["hash"]
    assert "page=2" in changed["hash"]
    assert "open=shapes_val%2F" in changed["hash"]
    assert again == changed
    assert odd == start


def test_keys_walk_over_expressions_and_pages(node, page, here):
    code = f"""
    const {{ opened }} = require({json.dumps(str(here / "dom.js"))});
    const page = opened(require("fs").readFileSync({json.dumps(str(page))}, "utf8"), "#many=24");
    const key = (name) => page.fire("keydown", {{ key: name, target: {{ tagName: "BODY" }} }});
    const cards = () => page.getElementById("cards").children;
    const now = () => cards().findIndex((card) => card.contains(document.activeElement));
    const found = [];
    for (const name of ["j", "j", "k", "n", "p", "/"]) {{
      key(name);
      const isSearching = document.activeElement === page.getElementById("words");
      found.push([now(), page.getElementById("page").textContent, isSearching]);
    }}
    cards()[23].children[0].focus();
    key("j");
    found.push([now(), page.getElementById("page").textContent]);
    key("k");
    found.push([now(), page.getElementById("page").textContent]);
    cards()[0].children[0].fire("click");
    const before = page.getElementById("large").textContent;
    key("j");
    found.push(before !== page.getElementById("large").textContent);
    key("k");
    found.push(before === page.getElementById("large").textContent);
    console.log(JSON.stringify(found));
    """
    found = _result(node, code)
    pages = found[0][1].rpartition(" ")[2]
    assert [one[0] for one in found[:3]] == [0, 1, 0]
    assert [one[1] for one in found[3:5]] == [f"page 2 of {pages}", f"page 1 of {pages}"]
    assert found[5][2]
    assert found[6:] == [[0, f"page 2 of {pages}"], [23, f"page 1 of {pages}"], True, True]


def test_a_real_browser_opens_an_address_and_fits_400_pixels(chromium, page, drawn_runs, tmp_path):
    split = load_split("shapes_val")
    rows = [{row.id: row for row in run.rows()} for run in drawn_runs]
    outcomes = failures_of(split, drawn_runs, rows).outcomes[1]
    wanted = [name for name, outcome in outcomes.items() if outcome == "same_class"]
    assert wanted
    # Headless Chromium has no window narrower than 500 pixels, but a frame may be.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id="f" src="{page.as_uri()}#run=1&amp;outcome=same_class&amp;open={wanted[0]}" '
        'style="width:400px;height:900px"></iframe><p id="found"></p><script>'
        'const f = document.getElementById("f"); f.onload = () => setTimeout(() => {'
        "const inner = f.contentDocument; const all = inner.documentElement;"
        'document.getElementById("found").textContent = JSON.stringify([all.scrollWidth, all.clientWidth, '
        'inner.querySelectorAll("dialog figure").length, inner.getElementById("count").textContent, '
        'inner.getElementById("large").open, inner.getElementById("outcome").selectedOptions[0].textContent]); '
        "}, 500);</script>"
    )
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=8000", "--allow-file-access-from-files", "--dump-dom"]
    shown = subprocess.run([*command, frame.as_uri()], capture_output=True, text=True, timeout=GUARD).stdout
    found = re.search(r'id="found">(.*?)</p>', shown)
    assert found is not None
    across, window, figures, count, is_open, option = json.loads(html.unescape(found[1]))
    assert across <= window <= 400
    assert figures == len(drawn_runs)
    assert count.startswith(f"{len(wanted)} of {len(outcomes)} expressions")
    assert is_open
    assert option == f"wrong object of the same class ({len(wanted)})"


def test_a_real_browser_shows_the_page_without_network(chromium, page, drawn_runs, tmp_path):
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1280,900", "--virtual-time-budget=8000"]
    shown = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=GUARD)
    count = len(drawn_runs[0].rows())
    assert f"{count} of {count} expressions" in shown.stdout
    assert shown.stdout.count('class="card"') == min(48, count)
    shot = tmp_path / "shot.png"
    subprocess.run([*command, f"--screenshot={shot}", page.as_uri()], capture_output=True, timeout=GUARD, check=True)
    from PIL import Image

    with Image.open(shot) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((320, 225))).reshape(-1, 3)
    # Thumbnails and masks are coloured; an empty page has a handful of greys.
    assert len(np.unique(pixels, axis=0)) > 500
