"""What MkDocs does not do by itself: pages from outside docs/ join the site, and links work there as in the checkout.

A page is written with links that work where it lies in the repository. On the site the same link leads to the page of
that file. A link to a file that has no page (source code, a recipe) becomes its plain text, because the repository has
no public address.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
EXAMPLES = TOP / "examples"
# What joins from outside docs/, by where it lies in the repository.
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "baselines/README.md",
    "examples/README.md",
    "reports/gpu/README.md",
    "reports/leaderboard/README.md",
    "tris_model/README.md",
    *sorted(path.relative_to(TOP).as_posix() for path in (TOP / "reports/pictures").glob("*.png")),
)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def place_on_site(source: str) -> str:
    """Where a file of the repository lies on the site, whether or not it is there."""
    return "index.md" if source == "README.md" else source.removeprefix("docs/")


def place_in_repository(page: str) -> str:
    """Where a page of the site lies in the repository."""
    if page == "index.md":
        return "README.md"
    return page if page in OUTSIDE else f"docs/{page}"


def for_site(text: str, page: str, known: set[str]) -> str:
    """A page's text with its links changed for the site.

    Args:
        text: Markdown.
        page: the page's place on the site.
        known: the places on the site of all pages and pictures.
    """
    folder = posixpath.dirname(place_in_repository(page))

    def changed(link: re.Match[str]) -> str:
        mark, words, target = link.groups()
        path, sharp, anchor = target.partition("#")
        if not path or ":" in path:
            return link[0]
        source = posixpath.normpath(posixpath.join(folder, path))
        if not (TOP / source).exists():
            return link[0]  # MkDocs reports it, and --strict makes that an error
        if (place := place_on_site(source)) not in known:
            return words
        there = posixpath.relpath(place, posixpath.dirname(page) or ".")
        return f"{mark}[{words}]({there}{sharp}{anchor})"

    parts, end = [], 0
    for block in _CODE.finditer(text):
        parts += [_LINK.sub(changed, text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, _LINK.sub(changed, text[end:])])


def with_sources(text: str) -> str:
    """The page of the examples with their code below it, for the site has no page of a source file."""
    parts = [text.rstrip()]
    for path in [
        *sorted(EXAMPLES.glob("*.py")),
        *sorted(EXAMPLES.rglob("*/pyproject.toml")),
        *EXAMPLES.rglob("*/*.py"),
    ]:
        language = "toml" if path.suffix == ".toml" else "python"
        parts.append(f"## `{path.relative_to(TOP)}`\n\n```{language}\n{path.read_text(encoding='utf-8').rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """Called by MkDocs: let the files from outside docs/ join."""
    from mkdocs.structure.files import File

    for source in OUTSIDE:
        files.append(File.generated(config, place_on_site(source), abs_src_path=str(TOP / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Called by MkDocs for every page: change its links, and show the code of the examples."""
    if page.file.src_uri == "examples/README.md":
        markdown = with_sources(markdown)
    return for_site(markdown, page.file.src_uri, {file.src_uri for file in files})
