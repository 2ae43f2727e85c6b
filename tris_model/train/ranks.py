"""Several processes as one: the texts of all of them are each one's negatives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """This process's number."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Until all are here: what one has written, the others may read then."""
    if dist.is_initialized():
        dist.barrier()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(world())]
        dist.all_gather(parts, own.contiguous())
        ctx.count = len(own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        # Every rank's loss depends on every rank's texts: the sum over ranks; DistributedDataParallel then averages.
        whole = grads[0].contiguous()
        dist.all_reduce(whole)
        return whole[rank() * ctx.count : (rank() + 1) * ctx.count]


def gather(own: Tensor) -> Tensor:
    """The rows of all ranks in their order, ``(B, …)`` -> ``(W * B, …)``, with gradients; B is the same everywhere."""
    gathered = own if world() == 1 else _Gather.apply(own)
    assert isinstance(gathered, Tensor)
    return gathered


@contextmanager
def torchrun(device: str) -> Iterator[str]:
    """Join the other processes of ``torchrun``, if there are any; gives the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield device
        return
    cuda = device in ("auto", "cuda") and torch.cuda.is_available()
    place = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else device
    if cuda:
        torch.cuda.set_device(place)
    # IRN learns on one rank while the others wait, which takes longer than the minutes that are allowed by default.
    dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield place
    finally:
        dist.destroy_process_group()
