"""A page of some expressions of a split: each object's image with its true mask and box, and its texts with their ids.

It needs no run and no script: masks are small pictures over the thumbnails.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path

import numpy as np

from risbench import Sample, Split
from risbench.masks import union_of
from risbench.plain import plain
from risbench.results.jsonlines import replace

from .thumbnails import SIDE, Thumbnails

_MOST_INSIDE = 3000  # pictures in the page itself; more lie beside it
_COLOUR = (230, 159, 0)  # of the truth, as in the gallery
_STYLE = """
main { padding-bottom: 2rem; }
#cards { --card: 17rem; margin-top: 0.8rem; }
.card { min-height: 0; }
.picture { max-width: none; }
.picture img { position: static; height: auto; }
.picture img + img { position: absolute; inset: 0; height: 100%; }
.card ul { list-style: none; margin: 0.4rem 0 0; padding: 0; }
.card li { margin-top: 0.35rem; overflow-wrap: anywhere; }
.card small { display: block; color: var(--faint); user-select: all; overflow-wrap: anywhere; }
.note { color: var(--faint); font-size: 0.9rem; margin: 0.2rem 0; }
"""


def write_expressions(split: Split, samples: Sequence[Sample], out: Path, about: str) -> None:
    """Write the page.

    Args:
        split: the samples' split.
        samples: what is shown; the expressions about one object share a picture.
        out: the page.
        about: which expressions they are, in words.

    Raises:
        RisbenchError: it cannot be written.
    """
    groups: dict[tuple[object, object], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.image_id, sample.ref_id), []).append(sample)
    folder = out.with_name(f"{out.stem}_files") if len(groups) > _MOST_INSIDE else None
    firsts = [group[0] for group in groups.values()]
    with Thumbnails(folder) as pictures:
        sources = pictures.of([(sample.image_path, sample.size) for sample in firsts])
        notes = [f"{about}.", "The true mask is orange: the union of the annotated parts; the frame is the true box."]
        notes += pictures.notes(split.image_folder)
    cards = [_card(group, source) for group, source in zip(groups.values(), sources, strict=True)]
    replace(out, _page(f"{split.name}: expressions", notes, cards))


def _page(title: str, notes: Sequence[str], cards: Sequence[str]) -> str:
    style = (files("reports.gallery") / "page.css").read_text(encoding="utf-8") + _STYLE
    lines = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">']
    lines.append(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data: file: 'self'; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
    )
    lines += ['<meta name="viewport" content="width=device-width, initial-scale=1">', f"<title>{_safe(title)}</title>"]
    lines += [f"<style>{style}</style></head><body>", f"<header><h1>{_safe(title)}</h1>"]
    lines += [f'<p class="note">{_safe(note)}</p>' for note in notes]
    return "\n".join([*lines, '</header><main><ul id="cards">', *cards, "</ul></main></body></html>\n"])


def _card(group: Sequence[Sample], source: str | None) -> str:
    first = group[0]
    images = [] if source is None else [f'<img src="{html.escape(source)}" alt="" loading="lazy">']
    images.append(f'<img src="{_overlay(first)}" alt="the true mask">')
    lines = [f'<li class="card"><div class="picture">{"".join(images)}</div><ul>']
    lines += [f"<li>{_safe(sample.text) or '(no text)'}<small>{_safe(sample.id)}</small></li>" for sample in group]
    about = [] if first.category is None else [f"category: {first.category}"]
    about += [] if first.parts else ["no true mask"]
    return "".join([*lines, f'</ul><p class="note">{_safe(", ".join(about))}</p></li>'])


def _overlay(sample: Sample) -> str:
    """A transparent picture of the true mask and box, of the thumbnail's size, as a ``src``."""
    from PIL import Image, ImageDraw

    height, width = sample.size
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    mask = union_of(sample.parts, sample.size) if sample.parts else np.zeros(sample.size, dtype=bool)
    # Averaged, so that an object of few pixels stays visible.
    share = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
    inside = share >= 64
    reach = 2 if max(size) > 200 else 1  # pixels of the outline; the page enlarges small pictures
    padded, near, steps = np.pad(inside, reach), np.zeros_like(inside), range(2 * reach + 1)
    for down, right in product(steps, steps):
        near |= padded[down : down + inside.shape[0], right : right + inside.shape[1]]
    pixels = np.zeros((*inside.shape, 4), dtype=np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = np.where(inside, 115, np.where(near, 255, 0))
    picture = Image.fromarray(pixels, "RGBA")
    if sample.box is not None:
        x0, y0, x1, y1 = (float(value) * scale for value in sample.box)
        ImageDraw.Draw(picture).rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=(*_COLOUR, 255))
    memory = io.BytesIO()
    picture.save(memory, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(memory.getvalue()).decode("ascii")


def _safe(text: str) -> str:
    # Isolated, so that text written from right to left does not reorder its neighbours.
    return f"<bdi>{html.escape(plain(text))}</bdi>" if plain(text) else ""
