"""What IRN's steps cost on this machine: the walk, sparse and dense, the CRF, the middles and a training step's losses.

    python tests/bench/irn.py [--size 480x640] [--threads 1] [--dense] [--device cuda]

``--dense`` also squares the matrix of all pairs eight times, as the authors do: at 480 x 640 1.4 GiB a matrix, two of
them at once, and 113 TFLOP, so take --size 240x320 (a 64th of that) on a CPU. Each part
runs in a process of its own, so that the memory is its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from machine import described
from scipy import ndimage

from tris_model.devices import computing, elapsed, synchronize

PARTS = ("nothing", "sparse", "dense", "centroids", "crf", "losses")


def made_up(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges round blobs, displacements, and a heat, at a quarter of the size."""
    random = np.random.RandomState(0)
    cells = (height // 4, width // 4)
    smooth = ndimage.gaussian_filter(random.rand(*cells), 4)
    edges = ndimage.gaussian_gradient_magnitude(smooth, 1)
    edges = (edges / edges.max()).astype(np.float32)
    ways = np.stack([ndimage.gaussian_filter(random.randn(*cells), 8) * 100 for _ in range(2)]).astype(np.float32)
    heat = np.zeros(cells, np.float32)
    heat[cells[0] // 3 : cells[0] // 2, cells[1] // 3 : cells[1] // 2] = 1
    return edges, ways, heat


def dense(heat: np.ndarray, edges: np.ndarray, device: str) -> np.ndarray:
    """Eight squarings of the matrix of all pairs."""
    from tris_model.irn.walk import transition

    matrix = torch.from_numpy(transition(edges).toarray()).to(device)
    for _ in range(8):
        matrix = matrix @ matrix
    return (matrix @ torch.from_numpy((heat * (1 - edges)).ravel()).to(device)).cpu().numpy().reshape(heat.shape)


def measure(part: str, height: int, width: int, device: str) -> None:
    """Do one part after a warm-up and print its seconds and the process's memory."""
    work = _work(part, height, width, device)
    place = torch.device(device)
    if place.type == "cuda" or part != "dense":  # which takes minutes on a CPU
        work()
    synchronize(place)
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    start, used = time.perf_counter(), time.process_time()
    note = work()
    seconds, used = elapsed(start, place), time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if place.type == "cuda" and part != "nothing":
        note += f" (GPU {torch.cuda.max_memory_allocated(place) / 2**20:.0f} MiB)"
    print(f"{part:10s}{seconds:8.2f} s {used:8.2f} CPU s {memory:8.0f} MiB  {note}", flush=True)


def _work(part: str, height: int, width: int, device: str) -> Callable[[], str]:
    """A part as something to call, its input made."""
    from tris_model.irn import affinity, centroids, crf, walk

    edges, ways, heat = made_up(height, width)
    place = torch.device(device)

    def sparse() -> str:
        walk.spread(heat[None], edges, device=device)
        return ""

    def squared() -> str:
        found = dense(heat, edges, device)
        other = walk.spread(heat[None], edges, device=device)[0]  # its time is small beside the other's
        return f"largest difference from the sparse walk {np.abs(found - other).max() / other.max():.1e} of the maximum"

    def middles() -> str:
        return f"{centroids.split(ways).max() + 1} parts"

    def cleaned() -> str:
        random = np.random.RandomState(0)
        blurred = [ndimage.gaussian_filter(random.rand(height, width), 6) for _ in range(3)]
        image = np.stack([255 * (one - one.min()) / (one.max() - one.min()) for one in blurred], 2)
        image = (image + random.randint(-6, 7, image.shape)).clip(0, 255).astype(np.uint8)
        label = np.kron(heat > 0, np.ones((4, 4), bool))
        label = np.pad(label, [(0, height - label.shape[0]), (0, width - label.shape[1])])
        note = ""
        for engine in ("torch", *(["pydensecrf"] if crf.installed() else [])):
            synchronize(place)
            begun, used = time.perf_counter(), time.process_time()
            crf.clean(image, np.stack([label, ndimage.binary_dilation(label, iterations=9)]), engine, device)
            seconds = elapsed(begun, place)
            used = time.process_time() - used
            note += f"{engine} {seconds:.2f} s, {used:.2f} CPU seconds for both cuts of an image; "
        return note

    def learnt() -> str:
        logits = torch.randn(1, 1, 128, 128, device=device, requires_grad=True)
        field = torch.randn(1, 2, 128, 128, device=device, requires_grad=True)
        labels = torch.randint(0, 2, (1, 128, 128), dtype=torch.uint8, device=device)
        with computing("float32"):
            affinity.losses(logits, field, labels).total.backward()
        return "one crop of 512, radius 10, forward and back"

    works = {"sparse": sparse, "dense": squared, "centroids": middles, "crf": cleaned, "losses": learnt}
    return works.get(part, str)


def main() -> None:
    """Run all parts, each in a process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x640")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dense", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args()
    height, width = (int(side) for side in options.size.split("x"))
    torch.set_num_threads(options.threads)
    if options.part:
        measure(options.part, height, width, options.device)
        return
    print(f"{described()}, {options.threads} threads, {height} x {width}")
    for part in PARTS:
        if part != "dense" or options.dense:
            subprocess.run([sys.executable, *sys.argv, "--part", part], check=True)


if __name__ == "__main__":
    main()
