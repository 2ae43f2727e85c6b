"""Several processes train as one: each uses the texts of all processes as negatives."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from risbench.errors import UsageError
from risbench.running.interrupts import STOPPED

_LOOK = 0.01  # seconds between two looks at whether the others have come
_JOINED = b"\xff"  # no signal has this number


def rank() -> int:
    """This process's number."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Until all are here: what one has written, the others may read then.

    Looks again and again, for a process that waits inside of torch hears no Ctrl-C.
    """
    if dist.is_initialized():
        work = dist.barrier(async_op=True)
        while work is not None and not work.is_completed():
            time.sleep(_LOOK)
        if work is not None:
            work.wait()


def any_rank(flag: bool) -> bool:
    """Whether the flag is true on some rank; all must ask at the same place, and all are told the same.

    Ctrl-C reaches ranks at different times. If each stopped at a step of its own, the others would wait for it for
    ever in the next exchange.
    """
    if not dist.is_initialized():
        return flag
    place = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    most = torch.tensor([int(flag)], device=place)
    dist.all_reduce(most, op=dist.ReduceOp.MAX)
    return bool(most.item())


def mean_of(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The mean over ranks of numbers that each rank has by the same names; all must ask at the same place."""
    own = {name: term.detach() for name, term in terms.items()}
    if world() == 1:
        return own
    together = torch.stack([term.float() for term in own.values()])
    dist.all_reduce(together)
    return dict(zip(own, (together / world()).unbind(), strict=True))


def averaged(module: nn.Module) -> Any:
    """A module whose gradients become the mean over ranks; itself where there is one rank.

    Wrap last: the memory format of a parameter, and whatever else changes its values, is fixed from then on. The
    parameters of rank 0 are given to all; statistics of BatchNorm stay each rank's own.
    """
    if world() == 1:
        return module
    # Torch renamed the option, and warns of the old name where it knows the new one.
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    option: dict[str, Any] = {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}
    return DistributedDataParallel(module, **option)


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
        # A clone, for the gradient is autograd's, which may give it to others.
        whole = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole[rank() * ctx.count : (rank() + 1) * ctx.count]


def gather(own: Tensor) -> Tensor:
    """The rows of all ranks in their order, ``(B, …)`` -> ``(W * B, …)``, with gradients; B is the same everywhere."""
    gathered = own if world() == 1 else _Gather.apply(own)
    assert isinstance(gathered, Tensor)
    return gathered


def _own_card(device: str) -> str:
    """The card of this process among those that torchrun started on this machine."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if device.startswith("cuda:"):
        if here > 1:
            raise UsageError(f"{device} would put all {here} processes on one GPU; --device cuda gives each its own")
        return device
    if number >= (cards := torch.cuda.device_count()):
        raise UsageError(f"torchrun started {here} processes for {cards} cards; give --nproc-per-node {cards}")
    return f"cuda:{number}"


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """While this process waits inside of torch for others to join, where Python hears no signal, Ctrl-C ends it.

    Else it waits for a process that was ended by the same Ctrl-C until torchrun kills it half a minute later.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) in (
        signal.SIG_IGN,
        None,
    ):
        yield
        return
    heard, tell = os.pipe()
    os.set_blocking(tell, False)

    def listen() -> None:
        if os.read(heard, 1) != _JOINED:
            if os.environ.get("RANK", "0") == "0":
                sys.stderr.write(f"risbench: {STOPPED}\n")
                sys.stderr.flush()
            os._exit(1)  # nothing is written before all have joined

    thread = threading.Thread(target=listen, daemon=True)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(tell, _JOINED)
        thread.join()
        os.close(heard)
        os.close(tell)


@contextmanager
def torchrun(device: str) -> Iterator[str]:
    """Join the other processes of ``torchrun``, if there are any; gives the device of this one.

    Raises:
        UsageError: a device that all processes would share, or more processes than cards.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield device
        return
    cuda = (device == "auto" or device.startswith("cuda")) and torch.cuda.is_available()
    place = _own_card(device) if cuda else device
    if cuda:
        torch.cuda.set_device(place)
    # IRN learns on one rank while the others wait, which takes longer than the minutes that are allowed by default.
    with _leaving_at_once():
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield place
    finally:
        dist.destroy_process_group()
