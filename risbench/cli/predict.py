"""``risbench predict``."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import click
import numpy as np

from .. import plugins
from ..datasets.upright import read_upright
from ..devices import chosen
from ..errors import RisbenchError, UsageError
from ..io.plainfiles import real
from ..methods.contract import card_of, method_notes
from ..methods.factory import make
from ..methods.named import refuse_unknown, title_of
from ..methods.predict import Answer, cautions_of, predict
from ..methods.refine import Refined, refiner_of
from ..metrics.rules.protocols import Rules
from ..results.jsonlines import replace_bytes
from . import options, show

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".heic", ".heif", ".avif")


@click.command("predict")
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("texts", nargs=-1, required=True)
@click.option("--method", required=True, help="An installed method (`list methods`), or ./FILE.py[:NAME].")
@click.option("--weights", help="A weights file, or a name that the method knows.")
@options.settings
@options.rules
@options.threshold
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--overlay", type=click.Path(path_type=Path, dir_okay=False), help="Draw the masks here (.png, .pdf or .svg)."
)
@click.option("--mask", type=click.Path(path_type=Path, dir_okay=False), help="Write the mask here (.png, 0 or 255).")
@click.option("--heat", type=click.Path(path_type=Path, dir_okay=False), help="Write the heat here (.npy, float32).")
@options.as_json
def command(
    image: Path,
    texts: tuple[str, ...],
    method: str,
    weights: str | None,
    pairs: tuple[str, ...],
    rules: str,
    threshold: float | None,
    device: str,
    overlay: Path | None,
    mask: Path | None,
    heat: Path | None,
    as_json: bool,
) -> None:
    """Predict a mask for each of the TEXTS in one IMAGE.

    The image is rotated as its EXIF orientation says, as image viewers do.

    With several texts --mask and --heat write one file each: mask.png becomes mask-1.png, mask-2.png, and so on.
    Exit code 1 if --heat is given and the method returns no heat; all other files are written.
    """
    for path, suffixes in ((overlay, (".png", ".pdf", ".svg")), (mask, (".png",)), (heat, (".npy",))):
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"{path}: the name must end in {' or '.join(suffixes)}")
    refuse_unknown(method)
    _refuse_odd_texts(texts)
    targets = _targets(mask, heat, len(texts)) + ([] if overlay is None else [overlay])
    _refuse_overwriting(image, targets)
    pixels, remarks = read_upright(image)
    for remark in remarks:
        show.say(remark)
    given = options.options_of(pairs)
    refine = refiner_of(given)
    cut = Rules(rules, threshold)
    with redirect_stdout(sys.stderr):  # stdout is for data only, not for what a method prints
        built, _ = make(method, weights=weights, device=chosen(device), rules=rules, options=given)
    for note in method_notes(built):
        show.say(note)
    cut = cut.for_method(card_of(built).get("threshold"))
    if refine is not None:
        built = Refined(built, refine, cut, title=title_of(method), explicit_threshold=threshold is not None)
    with redirect_stdout(sys.stderr):
        answers = predict(built, pixels, texts, cut)
    written = []
    for number, answer in enumerate(answers, start=1):
        for path, content in ((mask, _png), (heat if answer.heat is not None else None, _npy)):
            if path is not None:
                target = _numbered(path, number, len(answers))
                replace_bytes(target, content(answer))
                written.append(target)
    if overlay is not None:
        draw: Callable[..., None] = plugins.load(plugins.PICTURES, "overlay")
        draw(pixels, answers, overlay)
        written.append(overlay)
    _print(answers, written, cautions_of(answers, cut, card_of(built)), as_json)
    if heat is not None:
        _fail_without_heat(heat, method, answers)


def _fail_without_heat(path: Path, method: str, answers: Sequence[Answer]) -> None:
    """Exit with an error after all other files are written, so that they are not lost.

    Raises:
        RisbenchError: a prediction has no heat to write.
    """
    lacking = [_numbered(path, place, len(answers)) for place, one in enumerate(answers, start=1) if one.heat is None]
    if lacking:
        names = ", ".join(map(str, lacking[:3])) + (", …" if len(lacking) > 3 else "")
        raise RisbenchError(f"{names}: not written: method '{method}' returns a mask without a heat; leave --heat out")


def _numbered(path: Path, number: int, count: int) -> Path:
    return path if count == 1 else path.with_stem(f"{path.stem}-{number}")


def _targets(mask: Path | None, heat: Path | None, count: int) -> list[Path]:
    """All files that will hold masks and heats."""
    paths = [path for path in (mask, heat) if path is not None]
    return [_numbered(path, number, count) for path in paths for number in range(1, count + 1)]


def _refuse_odd_texts(texts: Sequence[str]) -> None:
    """Refuse what is not an expression: an empty text, or the name of a second image."""
    for text in texts:
        if not text.strip():
            raise UsageError("a TEXT is empty: describe an object, e.g. 'the man on the right'")
        if _is_picture(text):
            raise UsageError(f"{text} is a picture, not a text: give one IMAGE, then its texts")


def _is_picture(text: str) -> bool:
    try:
        return Path(text).suffix.lower() in _PICTURES and Path(text).is_file()
    except (OSError, ValueError):
        return False  # too long for a file name, or with a character that no file name may have


def _refuse_overwriting(image: Path, targets: Sequence[Path]) -> None:
    """Refuse to overwrite the input image, and to write two things into one file."""
    taken = {real(image): "the image itself"}
    for target in targets:
        place = real(target)
        is_image = target.exists() and image.exists() and target.samefile(image)
        if is_image or place in taken:
            what = "the image itself" if is_image else taken[place]
            raise UsageError(f"{target} is {what}: give another name to write to")
        taken[place] = "already written to by this command"


def _png(answer: Answer) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(answer.mask.astype(np.uint8) * 255).save(stream, format="PNG")
    return stream.getvalue()


def _npy(answer: Answer) -> bytes:
    stream = io.BytesIO()
    assert answer.heat is not None
    np.save(stream, answer.heat, allow_pickle=False)
    return stream.getvalue()


def _print(answers: list[Answer], written: list[Path], warnings: list[str], as_json: bool) -> None:
    entries = [
        {
            "text": answer.text,
            "share": round(float(answer.mask.mean()), 6),
            "point": None if answer.point is None else list(answer.point),
        }
        for answer in answers
    ]
    if as_json:
        more = {"warnings": warnings} if warnings else {}
        show.print_json({"answers": entries, **more, "written": [str(path) for path in written]})
        return
    for answer in answers:
        point = "" if answer.point is None else f", surest at {answer.point[0]:.1f}, {answer.point[1]:.1f}"
        line = f"{answer.text}: {100 * answer.mask.mean():.1f} % of the image{point}"
        show.print_line(line)
    for warning in warnings:
        show.say(f"warning: {warning}")
    for path in written:
        show.say(f"written: {path}")
