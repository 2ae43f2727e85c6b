"""The house in numbers: rooms and arrows of each floor, circles, sizes of modules, names, and words of the old dialect.

``python tests/structure/house.py`` prints a table; ``--json`` prints the same for programs;
a folder may follow that holds the four packages. `test_house` holds the
bounds. A *room* is a module or package that lies directly in a package (a *floor*); an *arrow* is a pair of rooms of
one floor of which one imports the other. Imports within functions count; imports for type checkers alone do not,
because they are never executed.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import grimp

TOP = Path(__file__).resolve().parents[2]
PACKAGES = ("risbench", "tris_model", "baselines", "reports")
LONGEST = 300  # lines of a module
SHORTEST = 20  # lines of a module that only one other imports
# The private dialect that plain English replaced (CONTRIBUTING.md), as whole words of names.
DIALECT = ("said", "told", "asked", "seen", "met", "quicken", "warmth")
_WORD = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(DIALECT)})(?![A-Za-z])", re.IGNORECASE)


class Floor(NamedTuple):
    """A package: how many rooms it has, and how many arrows run between them."""

    name: str
    rooms: int
    arrows: int


class House:
    """What the four packages look like."""

    def __init__(self, top: Path = TOP) -> None:
        sys.path.insert(0, str(top))
        self.top = top
        self.graph = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)

    def floors(self) -> list[Floor]:
        """Every package with its rooms and arrows, those with most rooms first."""
        found = []
        for name in sorted(self.graph.modules):
            if rooms := self.graph.find_children(name):
                found.append(Floor(name, len(rooms), sum(1 for _ in self._arrows(rooms))))
        return sorted(found, key=lambda floor: (-floor.rooms, floor.name))

    def _arrows(self, rooms: set[str]) -> Iterator[tuple[str, str]]:
        for room in rooms:
            inside = {room, *self.graph.find_descendants(room)}
            reached = {one for module in inside for one in self.graph.find_modules_directly_imported_by(module)}
            for other in rooms - {room}:
                if reached & {other, *self.graph.find_descendants(other)}:
                    yield room, other

    def circles(self) -> list[list[str]]:
        """Modules that import one another, directly or by way of others: strongly connected components."""
        edges = {module: sorted(self.graph.find_modules_directly_imported_by(module)) for module in self.graph.modules}
        return sorted(sorted(part) for part in _components(edges) if len(part) > 1)

    @cached_property
    def lines(self) -> dict[str, int]:
        """Lines of each module, packages' ``__init__`` aside."""
        modules = {name for name in self.graph.modules if not self._path(name).name.startswith("__")}
        return {name: len(text.splitlines()) for name, text in self.texts.items() if name in modules}

    @cached_property
    def texts(self) -> dict[str, str]:
        """The source of each module."""
        return {name: self._path(name).read_text(encoding="utf-8") for name in sorted(self.graph.modules)}

    def _path(self, module: str) -> Path:
        path = self.top.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def long_modules(self) -> dict[str, int]:
        """Modules of more lines than one idea needs."""
        return {name: count for name, count in self.lines.items() if count > LONGEST}

    def splinters(self) -> dict[str, str]:
        """Short modules that one other module alone imports, and which that is."""
        found = {}
        for name, count in self.lines.items():
            importers = self.graph.find_modules_that_directly_import(name)
            if count < SHORTEST and len(importers) == 1:
                found[name] = next(iter(importers))
        return found

    def shared_class_names(self) -> dict[str, list[str]]:
        """Public names that more than one class bears."""
        homes: dict[str, list[str]] = defaultdict(list)
        for name, text in self.texts.items():
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(name)
        return {name: places for name, places in sorted(homes.items()) if len(places) > 1}

    def dialect(self) -> dict[str, int]:
        """Words of the old dialect in the names of the code, each with how often it occurs; prose is not counted."""
        counts: dict[str, int] = defaultdict(int)
        for text in self.texts.values():
            for name in _names_in(text):
                for word in _WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1_\2", name)):
                    counts[word.lower()] += 1
        return dict(sorted(counts.items()))

    def record(self) -> dict[str, object]:
        """All of it."""
        return {
            "floors": [floor._asdict() for floor in self.floors()],
            "circles": self.circles(),
            f"modules over {LONGEST} lines": self.long_modules(),
            f"modules under {SHORTEST} lines that one module imports": self.splinters(),
            "names of more than one class": self.shared_class_names(),
            "words of the old dialect in names": self.dialect(),
        }


def _names_in(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.alias(name=name, asname=other):
                yield from filter(None, (name, other))
            case _:
                pass


def _components(edges: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Tarjan's strongly connected components, without recursion."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    for start in edges:
        if start in number:
            continue
        work = [(start, iter(edges[start]))]
        number[start] = lowest[start] = len(number)
        stack.append(start)
        waiting.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in edges:
                    continue
                if other not in number:
                    number[other] = lowest[other] = len(number)
                    stack.append(other)
                    waiting.add(other)
                    work.append((other, iter(edges[other])))
                    break
                if other in waiting:
                    lowest[node] = min(lowest[node], number[other])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
                if lowest[node] == number[node]:
                    part = set()
                    while node not in part:
                        part.add(stack.pop())
                    waiting -= part
                    yield part


def main() -> None:
    """Print the house."""
    folders = [Path(word) for word in sys.argv[1:] if word != "--json"]
    house = House(*folders)
    if "--json" in sys.argv[1:]:
        print(json.dumps(house.record(), indent=2))
        return
    print("| floor | rooms | arrows |\n|---|---|---|")
    for floor in house.floors():
        print(f"| {floor.name} | {floor.rooms} | {floor.arrows} |")
    for what, found in list(house.record().items())[1:]:
        print(f"\n{what}: {len(found)}")  # pyright: ignore[reportArgumentType]
        for one in found if isinstance(found, list) else found.items():  # pyright: ignore
            print(f"  {one}")


if __name__ == "__main__":
    main()
