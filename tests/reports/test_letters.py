"""Pictures have the letters of every language, from an installed font, or say that none has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reports import letters, overlay, picture
from reports.letters import families_for, set_fonts, wrapped
from risbench import DataWarning
from risbench.methods.predict import Answer


def write_font(path: Path, family: str, has: str) -> Path:
    """A font whose letters all are a filled square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", *(f"u{ord(each):04X}" for each in has)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(each): f"u{ord(each):04X}" for each in has})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=1000, usWinAscent=1000)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The only fonts that are there beside matplotlib's own."""
    from matplotlib import font_manager

    fonts: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: fonts)
    known = list(font_manager.fontManager.ttflist)
    families_for.cache_clear()
    yield fonts
    families_for.cache_clear()
    font_manager.fontManager.ttflist[:] = known


def figure_with(text: str):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, text, fontsize=20)
    return figure


def ink(figure) -> np.ndarray:
    import io

    from PIL import Image

    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=100)
    return np.asarray(Image.open(memory).convert("L")) < 128


def test_a_letter_is_drawn_by_an_installed_font_that_has_it(installed: list[str], tmp_path: Path):
    installed += [
        str(write_font(tmp_path / "a.ttf", "W8 Other", "右")),
        str(write_font(tmp_path / "b.ttf", "W8 Man", "人")),
    ]
    figure = figure_with("人")
    with pytest.warns(DataWarning, match="font W8 Man of this machine"):
        set_fonts(figure)
    assert families_for(frozenset("人")) == (("W8 Man",), "")
    # The made-up letter is a square filled with ink; the box of a missing letter is hollow.
    rows, columns = np.nonzero(ink(figure))
    square = ink(figure)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert square.mean() > 0.95


def test_several_fonts_are_taken_together(installed: list[str], tmp_path: Path):
    for number, has in enumerate(("人在", "人右", "边")):
        installed.append(str(write_font(tmp_path / f"{number}.ttf", f"W8 Part {number}", has)))
    families, absent = families_for(frozenset("人在右边 and Latin"))
    assert set(families) == {"W8 Part 0", "W8 Part 1", "W8 Part 2"}
    assert absent == ""


@pytest.mark.parametrize(
    ("text", "package"),
    [("人", "fonts-noto-cjk"), ("한", "fonts-noto-cjk"), ("दाईं", "fonts-noto-core"), ("🚀", "fonts-symbola")],
)
def test_a_letter_that_no_font_has_is_said(installed: list[str], text: str, package: str):
    with pytest.warns(DataWarning) as warnings:  # an old matplotlib has a second one about Devanagari
        set_fonts(figure_with(text))
    assert any(package in str(warning.message) for warning in warnings)


def test_letters_that_matplotlib_has_need_no_search(installed: list[str], monkeypatch: pytest.MonkeyPatch):
    from matplotlib import font_manager

    def never() -> list[str]:
        raise AssertionError("fonts were searched")

    monkeypatch.setattr(font_manager, "findSystemFonts", never)
    set_fonts(figure_with("Ünïcode – ±5 %, Кириллица, שלום"))


def test_a_broken_font_is_passed_over(installed: list[str], tmp_path: Path):
    (tmp_path / "broken.ttf").write_bytes(b"\0\1\0\0 no font")
    installed += [str(tmp_path / "broken.ttf"), str(tmp_path / "gone.ttf")]
    installed.append(str(write_font(tmp_path / "b.ttf", "W8 Good", "人")))
    assert families_for(frozenset("人")) == (("W8 Good",), "")


def test_the_search_ends_in_time(installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    installed.append(str(write_font(tmp_path / "b.ttf", "W8 Late", "人")))
    monkeypatch.setattr(letters, "_SECONDS", -1.0)
    assert families_for(frozenset("人")) == ((), "人")


def test_an_old_matplotlib_says_that_it_joins_no_letters(monkeypatch: pytest.MonkeyPatch):
    import matplotlib

    monkeypatch.setattr(matplotlib, "__version__", "3.9.2")
    with pytest.warns(DataWarning, match="unjoined"):
        set_fonts(figure_with("مرحبا"))


def test_east_asian_letters_take_the_room_of_two():
    assert wrapped("因" * 30, 20, 2) == "因" * 10 + "\n" + "因" * 9 + " …"
    assert wrapped("因" * 30, 20) == "\n".join(["因" * 10] * 3)
    assert wrapped("the man on the right", 10, 2) == "the man on\nthe right"
    assert max(map(len, wrapped("因为" * 20, 20).split("\n"))) == 10


def test_an_overlay_has_the_letters_too(installed: list[str], tmp_path: Path):
    answers = [Answer("人\x1b[31m", np.ones((20, 30), bool), None, None)]
    with pytest.warns(DataWarning, match="人"):
        overlay.draw(np.zeros((20, 30, 3), np.uint8), answers, tmp_path / "o.png")
    assert (tmp_path / "o.png").is_file()


def fonts_in(pdf: Path) -> str:
    """The font types that a PDF names."""
    return " ".join(sorted(set(re.findall(r"/Subtype /(Type3|Type0|CIDFontType\d)", pdf.read_text("latin1")))))


def test_a_pdf_embeds_truetype_and_takes_type_3_for_other_outlines(
    installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed.append(str(write_font(tmp_path / "a.ttf", "W8 True", "人")))
    answers = [Answer("人 man", np.ones((20, 30), bool), None, None)]
    with pytest.warns(DataWarning, match="W8 True"):
        overlay.draw(np.zeros((20, 30, 3), np.uint8), answers, tmp_path / "true.pdf")
    assert fonts_in(tmp_path / "true.pdf") == "CIDFontType2 Type0"
    collection = tmp_path / "a.ttc"
    for start, expected in ((b"OTTO", False), (b"\0\1\0\0", True)):
        collection.write_bytes(b"ttcf\0\1\0\0\0\0\0\1\0\0\0\x10" + start)
        monkeypatch.setattr("matplotlib.font_manager.findfont", lambda family: str(collection))
        assert letters.is_truetype("any") is expected
        monkeypatch.undo()
    monkeypatch.setattr(picture, "is_truetype", lambda family: False)
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: installed)
    with pytest.warns(DataWarning, match="W8 True"):
        overlay.draw(np.zeros((20, 30, 3), np.uint8), answers, tmp_path / "other.pdf")
    assert fonts_in(tmp_path / "other.pdf") == "Type3"
