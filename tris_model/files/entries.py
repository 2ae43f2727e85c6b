"""Find the network's tensors in a checkpoint: the entry that holds them, and the prefix of their names.

Training programs save more than weights, under their own names, and wrappers (data parallel, ``torch.compile``,
sharding, Lightning) add prefixes to all names. The caller knows what the wanted network's names look like. Tensors with
such names are found under any entry and behind any common prefix. Nothing is guessed. If two entries fit, plain weights
are preferred to averaged ones, and a note says so. Otherwise both are listed, and the user chooses with ``FILE#ENTRY``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from risbench.errors import DataError
from risbench.plain import plain

Looks = Callable[[Collection[str]], bool]
# Parts of a name that wrappers add, at the front or further inside, once or several times.
WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"})
# Numbers that averaging and training loops store among the tensors.
COUNTERS = frozenset(
    {"epoch", "step", "global_step", "iter", "iteration", "n_averaged", "num_updates", "decay", "best_score", "seed"}
)
# Usual entries, if names do not decide, in this order: TRIS's authors and we, open_clip and mmcv, then others.
USUAL = (
    "model", "state_dict", "model_state_dict", "model_state", "net", "network", "weights", "params", "module",
    "generator",
)  # fmt: skip
_AVERAGED = re.compile(r"(?i)(^|[_./-])(ema|swa|averaged?|avg|shadow)([_./-]|$|\d)|ema$")
_DEEP = 4
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ChosenEntry:
    """The tensors of one network.

    Attributes:
        entry: the entry that held them, such as ``model`` or ``ema/state_dict``; empty for the root.
        prefix: the common prefix that was removed from all names; may be empty.
        state: tensors under the network's own names.
        notes: what a user should know about the choice, one sentence each.
    """

    entry: str
    prefix: str
    state: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Group:
    entry: str
    prefix: str
    state: Mapping[str, Tensor]
    fits: bool
    inside: bool = False

    @property
    def address(self) -> str:
        """The text that a user writes after ``#``."""
        return f"{self.entry}/{self.prefix}" if self.entry and self.inside else self.entry or self.prefix


def choose(held: Any, source: str, looks: Looks | None = None, wanted: str | None = None) -> ChosenEntry:
    """Find the network's tensors.

    Args:
        held: the file's content, nested mappings.
        source: the file, for error messages.
        looks: decides whether names look like the network's; None takes the usual entry.
        wanted: the entry, or the prefix of names, that the user chose.

    Raises:
        DataError: there are no tensors; there are several networks, which are listed; or no entry has the wanted name.
    """
    if not isinstance(held, Mapping):
        raise DataError(f"{source} holds no weights: expected a dict of tensors, or one under the key 'model'")
    groups = [_tidied(entry, tensors, looks, source) for entry, tensors in _tensors_in(held)]
    if wanted is not None:
        return _wanted_entry(groups, source, looks, wanted)
    fitting = [group for group in groups if group.fits] if looks is not None else []
    fitting = [group for place, group in enumerate(fitting) if not any(_same(group, one) for one in fitting[:place])]
    if fitting:
        return _best(fitting, source)
    if looks is not None and (inside := _behind_prefixes(groups, looks)):
        whole = sum(len(group.state) for group in groups if any(one.entry == group.entry for one in inside))
        if len(inside) > 1 and sum(len(one.state) for one in inside) == whole:
            return _best(inside, source)
        raise DataError(f"{source} {_listed(inside)}")
    return _usual_entry(held, groups, source)


def _tensors_in(
    held: Mapping[Any, Any], entry: str = "", deep: int = 0, visited: set[int] | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping from names to tensors, outer ones first; each once, even if the file refers to it several times."""
    visited = set() if visited is None else visited
    if id(held) in visited:
        return
    visited.add(id(held))
    tensors = {key: value for key, value in held.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if tensors:
        yield entry, tensors
    if deep < _DEEP:
        for key, value in held.items():
            if isinstance(key, str) and isinstance(value, Mapping) and key not in ("optimizer", "optimiser"):
                yield from _tensors_in(value, f"{entry}/{key}" if entry else key, deep + 1, visited)


def _tidied(entry: str, tensors: Mapping[str, Tensor], looks: Looks | None, source: str) -> _Group:
    state = without_wrappers(tensors, f"{source}{f' ({entry})' if entry else ''}")
    if looks is None:
        return _Group(entry, "", state, True)
    common = _common(state)
    for length in range(len(common) + 1):
        prefix = "".join(f"{part}." for part in common[:length])
        if looks({key[len(prefix) :] for key in state}):
            return _Group(entry, prefix, {key[len(prefix) :]: value for key, value in state.items()}, True)
    return _Group(entry, "", state, False)


def without_wrappers(tensors: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Tensors without wrappers' parts in their names, and without counters.

    Raises:
        DataError: two tensors would have the same name.
    """
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if key in COUNTERS and value.numel() == 1:
            continue
        name = ".".join(part for part in key.split(".") if part not in WRAPPERS) if "." in key else key
        if name in found and found[name] is not value:
            raise DataError(
                f"{source} holds two networks under one name: {plain(key, 80)!r} and {plain(name, 80)!r} are the same "
                "weight with and without the word of a wrapper; save one of them alone"
            )
        found[name] = value
    return found


def _common(state: Mapping[str, Tensor]) -> Sequence[str]:
    """The parts that all names begin with, without a name's last part."""
    names = iter(state)
    common = next(names, "").split(".")[:-1]
    for name in names:
        parts = name.split(".")[:-1]
        while common and parts[: len(common)] != common:
            common.pop()
        if not common:
            break
    return common


def _same(one: _Group, other: _Group) -> bool:
    """Whether two entries hold the same tensors; some programs save them twice."""
    return one.state.keys() == other.state.keys() and all(
        value is other.state[key] or _address(value) == _address(other.state[key]) for key, value in one.state.items()
    )


def _address(value: Tensor) -> int:
    """The memory address of a tensor's numbers, or the tensor's identity if it has no numbers."""
    real = value.layout == torch.strided and value.device.type == "cpu" and value.numel() > 0
    return value.data_ptr() if real else -id(value)


def _best(fitting: Sequence[_Group], source: str) -> ChosenEntry:
    plain_ones = [group for group in fitting if not _AVERAGED.search(group.address)]
    chosen = plain_ones if plain_ones else fitting
    if len(chosen) > 1:
        raise DataError(f"{source} {_listed(chosen)}")
    (one,) = chosen
    others = [group.address for group in fitting if group is not one]
    notes = ()
    if others:
        taken = f"'{plain(one.address, 60)}'" if one.address else "the weights outside any entry"
        names = " and ".join(f"'{plain(other, 60)}'" for other in others)
        notes = (
            f"{source}: {taken} is used; the file also has {names} (averaged weights); give "
            f"{source}#{plain(others[0], 60)} to use that",
        )
    return ChosenEntry(one.entry, one.prefix, one.state, notes)


def _behind_prefixes(groups: Sequence[_Group], looks: Looks) -> list[_Group]:
    """Networks behind a prefix that only some of an entry's names have, such as a student beside its teacher."""
    found = []
    for group in groups:
        starts: dict[str, dict[str, Tensor]] = {}
        for key, value in group.state.items():
            first, dot, _ = key.partition(".")
            if dot:
                starts.setdefault(first, {})[key] = value
        for first, tensors in starts.items():
            part = _tidied(group.entry, tensors, looks, first)
            if part.fits and len(tensors) < len(group.state):
                found.append(replace(part, inside=True))
    return found


def _listed(groups: Sequence[_Group]) -> str:
    """The text that lists a file's networks and says how to choose one."""
    names = [plain(group.address, 60) for group in groups]
    shown = ", ".join(f"'{name}' ({len(group.state)} tensors)" for name, group in zip(names, groups, strict=True))
    count = "several networks" if len(groups) > 1 else "such a network among other tensors"
    return f"holds {count}: {shown}; choose one with FILE#{names[0]}, instead of FILE"


def _wanted_entry(groups: Sequence[_Group], source: str, looks: Looks | None, wanted: str) -> ChosenEntry:
    for group in groups:
        if wanted == group.entry:
            return ChosenEntry(group.entry, group.prefix, group.state)
    for group in groups:  # the longest entry that the wanted name begins with; the rest is a prefix
        prefix = wanted.removeprefix(f"{group.entry}/") if group.entry else wanted
        prefix = prefix if prefix.endswith(".") else f"{prefix}."
        part = {key[len(prefix) :]: value for key, value in group.state.items() if key.startswith(prefix)}
        if part:
            tidied = _tidied(group.entry, part, looks, source)
            return ChosenEntry(group.entry, prefix + tidied.prefix, tidied.state)
    # Nested entries: `FILE#ema` means `ema/state_dict` if that is the only one.
    below = [group for group in groups if group.entry.startswith(f"{wanted}/")]
    if len(below) == 1:
        return ChosenEntry(below[0].entry, below[0].prefix, below[0].state)
    names = ", ".join(f"'{plain(group.entry, 60)}'" for group in groups[:_SHOWN] if group.entry) or "none"
    raise DataError(f"{source} has no entry '{plain(wanted, 60)}' with tensors; its entries with tensors are {names}")


def _usual_entry(held: Mapping[Any, Any], groups: Sequence[_Group], source: str) -> ChosenEntry:
    """The entry with a usual name, else the tensors of the root, else the only entry."""
    by_entry = {group.entry: group for group in groups}
    for name in USUAL:
        if name in by_entry:
            return ChosenEntry(name, "", by_entry[name].state)
        below = [group for group in groups if group.entry.startswith(f"{name}/")]
        if len(below) == 1:
            return ChosenEntry(below[0].entry, "", below[0].state)
    if "" in by_entry or len(groups) == 1:
        one = by_entry.get("", groups[0])
        return ChosenEntry(one.entry, "", one.state)
    kinds = {type(value).__name__ for value in held.values()}
    keys = plain(", ".join(f"{key!s:.40}" for key in list(held)[:_SHOWN]), 200) or "nothing"
    reason = f"its keys are {keys}" + (" and none holds tensors by name" if not groups else "")
    if any("ndarray" in kind for kind in kinds):
        reason += "; numpy arrays are not read"
    raise DataError(
        f"{source} holds no weights: expected a dict of tensors, or one under the key 'model'; {reason}. Save the "
        "network's state_dict() alone"
    )
