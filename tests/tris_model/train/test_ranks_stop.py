"""Ranks begin with one network, each on a card of its own, and stop together."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.joined import made
from helpers.ranks import RankPairs
from torch.utils.data import DataLoader

from risbench.devices import chosen
from risbench.errors import UsageError
from tris_model.irn.feed import loaded
from tris_model.irn.recipe import Recipe
from tris_model.tiny_clip import pictures
from tris_model.train.loop import ranks


@contextmanager
def _asked_at(step: int, rank: int, own: int) -> Any:
    """As if Ctrl-C had come to one rank alone, in that step."""
    requested = 0

    def stopping() -> bool:
        nonlocal requested
        requested += 1
        return own == rank and requested > step

    yield stopping


def interrupted(rank: int, folder: str) -> None:
    """In a rank: every part is stopped by a Ctrl-C that reaches rank 1 alone, and then done; print where it stopped."""
    from tris_model.train import maps, pseudo, stage1, stage2
    from tris_model.train.loop import sharing
    from tris_model.train.tris import train

    given: dict[str, Any] = {"out": f"{folder}/out", "device": "cpu", "data_root": f"{folder}/data", "val": "none"}
    maps.CHUNK = pseudo.PIECE = 1
    modules: dict[str, Any] = {"1": stage1, "maps": maps, "labels": sharing, "2": stage2}
    for part, module in modules.items():
        kept, module.interruptible = module.interruptible, lambda part=part: _asked_at(part in "12", 1, rank)
        try:
            train(f"{folder}/recipe.toml", stage=part, **given, **{"stage2.batch": "2"})
            print("finished", part)
        except Exception as error:
            print(type(error).__name__, error)
        module.interruptible = kept
        train(f"{folder}/recipe.toml", stage=part, **given, **{"stage2.batch": "2"})


def test_a_ctrl_c_that_reaches_one_rank_stops_both_and_none_hangs(pairs: RankPairs, tmp_path: Path) -> None:
    made(tmp_path)
    found = pairs.run("from test_ranks_stop import interrupted; interrupted(rank, where)", tmp_path)
    assert [code for code, _, _ in found] == [0, 0], found[0][2][-2000:]
    first, second = (out.strip().splitlines() for _, out, _ in found)
    assert first[0] == second[0] == "Stopped stopped at step 2 of 3; the same command goes on"
    assert first[3] == second[3] == "Stopped stopped at step 2 of 3; the same command goes on"
    assert all(line.startswith("Stopped") for line in (*first, *second)), (first, second)
    assert len(first) == len(second) == 4
    assert len(list((tmp_path / "out/pseudo/masks").iterdir())) == 6


def test_channels_last_and_the_cone_come_before_the_ranks_are_joined_and_nothing_warns(
    pairs: RankPairs, tmp_path: Path
) -> None:
    made(tmp_path)
    program = (
        "from helpers.joined import RECIPE; from tris_model.train.tris import train;"
        "given = dict(out=where + '/out', device='cpu', data_root=where + '/data', val='none');"
        "given |= {'stage1.channels_last': 'true', 'stage1.heads': 'pool', 'stage1.cone': '0.5',"
        " 'stage1.network.hidden': '12', 'stage2.channels_last': 'true', 'stage2.batch': '2'};"
        "[train(where + '/recipe.toml', stage=part, **given) for part in ('1', 'maps', 'labels', '2')]"
    )
    found = pairs.run(program, tmp_path, strict=True)
    assert [code for code, _, _ in found] == [0, 0], found[0][2][-3000:]
    result = "".join(err for _, _, err in found)
    assert "Grad strides" not in result
    assert "broadcast_buffers" not in result


@pytest.fixture(scope="module")
def printed(pairs: RankPairs, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What each rank printed: weights behind ``averaged``, and gradients behind ``gather``; one start for both."""
    program = (
        "from tris_model.train.loop.ranks import averaged, gather;"
        "layer = torch.nn.Linear(2, 1); torch.nn.init.constant_(layer.weight, rank); averaged(layer);"
        "print(layer.weight.detach().flatten().tolist());"
        "own = torch.ones(1, 2, requires_grad=True); kept = torch.full((2, 2), float(rank + 1));"
        "gather(own).backward(kept); print(kept.flatten().tolist(), own.grad.tolist());"
        "dist.barrier()"  # together: a rank that ends while the other still sends can be aborted by gloo
    )
    found = pairs.run(program, tmp_path_factory.mktemp("ranks"))
    assert [code for code, _, _ in found] == [0, 0], found[0][2][-2000:]
    return [out.splitlines() for _, out, _ in found]


def test_ranks_begin_with_the_network_of_rank_0_whatever_was_added_to_it(printed: list[list[str]]) -> None:
    assert [lines[0] for lines in printed] == ["[0.0, 0.0]"] * 2


def test_the_gradient_that_autograd_owns_is_not_written_to(printed: list[list[str]]) -> None:
    assert [lines[1:] for lines in printed] == [[f"[{one}, {one}, {one}, {one}] [[3.0, 3.0]]"] for one in (1.0, 2.0)]


def test_a_card_that_all_ranks_would_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "4"), ("LOCAL_RANK", "3")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr("risbench.devices._cuda_count", lambda: 4)
    with pytest.raises(UsageError, match="one GPU; --device cuda gives"), ranks.torchrun("cuda:0"):
        pass
    with pytest.raises(UsageError, match="one GPU; --device cuda gives"):
        chosen("cuda:0", 3, 4)
    assert [ranks._own_card(device) for device in ("auto", "cuda")] == ["cuda:3"] * 2
    assert chosen("cuda", 3, 4) == "cuda:3"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="4 processes for 2 GPUs; give --nproc-per-node 2"), ranks.torchrun("auto"):
        pass
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # a card a machine
    assert ranks._own_card("cuda:0") == "cuda:0"


class Taught:
    """Two items, for processes that read them."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        import numpy as np

        return np.full((8, 8, 3), index, np.uint8), np.zeros((8, 8), np.uint8)


def test_no_process_is_forked_behind_cudas_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Any] = []

    class Loader(DataLoader):
        def __init__(self, *given: Any, **named: Any):
            context = named["multiprocessing_context"]
            used.append(context and context.get_start_method())
            super().__init__(*given, **named)

    monkeypatch.setattr("tris_model.irn.feed.DataLoader", Loader)
    wanted, cpu = [[(-1, 0), (-1, 1)]], torch.device("cpu")
    alone = list(loaded(Taught(), Recipe(crop=8), wanted, 0, cpu))
    helped = list(loaded(Taught(), Recipe(crop=8), wanted, 1, cpu))
    assert used == [None, "forkserver"]
    assert torch.equal(alone[0][0], helped[0][0])
    contexts: list[str] = []
    kept = pictures.ProcessPoolExecutor
    monkeypatch.setattr(
        pictures,
        "ProcessPoolExecutor",
        lambda count, context: (contexts.append(context._name), kept(count, context))[1],
    )
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path))
    assert len(pictures.pictures("objects", 2, 0, 16).images) == 2
    assert contexts == ["forkserver"]
