"""Training with several processes: each uses the texts of all processes as negatives."""

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
    """The number of this process."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Wait until all processes are here; then the others may read what one has written.

    It polls, because a process that waits inside torch gets no Ctrl-C.
    """
    if dist.is_initialized():
        work = dist.barrier(async_op=True)
        while work is not None and not work.is_completed():
            time.sleep(_LOOK)
        if work is not None:
            work.wait()


def any_rank(flag: bool) -> bool:
    """Whether the flag is true on some rank. All ranks must call it at the same place, and all get the same result.

    Ctrl-C reaches ranks at different times. If each rank stopped at a different step, the others would wait for it
    forever in the next communication.
    """
    if not dist.is_initialized():
        return flag
    place = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    most = torch.tensor([int(flag)], device=place)
    dist.all_reduce(most, op=dist.ReduceOp.MAX)
    return bool(most.item())


def mean_of(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The means over ranks of numbers with the same names. All ranks must call it at the same place."""
    own = {name: term.detach() for name, term in terms.items()}
    if world() == 1:
        return own
    together = torch.stack([term.float() for term in own.values()])
    dist.all_reduce(together)
    return dict(zip(own, (together / world()).unbind(), strict=True))


def averaged(module: nn.Module) -> Any:
    """Wrap a module so that its gradients are averaged over ranks; with one rank, return the module itself.

    Wrap it last: afterwards memory formats and other changes of parameters have no effect. All ranks get the parameters
    of rank 0. Each rank keeps its own BatchNorm statistics.
    """
    if world() == 1:
        return module
    # Torch renamed the option; versions with the new name warn about the old one.
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
        # Every rank's loss depends on all texts, so gradients are summed; DistributedDataParallel then averages.
        # A clone, because autograd may use the same gradient elsewhere.
        whole = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole[rank() * ctx.count : (rank() + 1) * ctx.count]


def gather(own: Tensor) -> Tensor:
    """The rows of all ranks in their order, ``(B, …)`` -> ``(W * B, …)``, with gradients; B is the same everywhere."""
    gathered = own if world() == 1 else _Gather.apply(own)
    assert isinstance(gathered, Tensor)
    return gathered


def _own_card(device: str) -> str:
    """The GPU of this process, by its number among torchrun's processes on this machine."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if device.startswith("cuda:"):
        if here > 1:
            raise UsageError(f"{device} would put all {here} processes on one GPU; --device cuda gives each its own")
        return device
    if number >= (cards := torch.cuda.device_count()):
        raise UsageError(f"torchrun started {here} processes for {cards} GPUs; give --nproc-per-node {cards}")
    return f"cuda:{number}"


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """End this process on Ctrl-C while it waits inside torch for others to join, where Python handles no signals.

    Otherwise it would wait for a process that the same Ctrl-C ended, until torchrun kills it half a minute later.
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
    """Join the other processes of ``torchrun``, if there are any; yields the device of this process.

    Raises:
        UsageError: all processes would share one device, or there are more processes than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        yield device
        return
    cuda = (device == "auto" or device.startswith("cuda")) and torch.cuda.is_available()
    place = _own_card(device) if cuda else device
    if cuda:
        torch.cuda.set_device(place)
    # IRN is trained on one rank while the others wait, longer than the default timeout.
    with _leaving_at_once():
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield place
    finally:
        dist.destroy_process_group()
