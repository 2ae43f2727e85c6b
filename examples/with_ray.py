"""A run on a Ray cluster: ``python examples/with_ray.py --method centre --split shapes_val --out runs/on-ray``.

Every shard is one task of the cluster, which may be many machines with one file system; merged, they give the masks
and the figures of one process. A task that fails on a lost machine is begun again, and goes on where it was.
Ray is an extra: ``pip install "risbench[ray]"``.
"""

from __future__ import annotations

import argparse

import ray

import risbench


@ray.remote(max_retries=2)
def shard(method: str, split: str, out: str, number: int, count: int, device: str) -> int:
    """Every ``count``-th image of the split from ``number`` on; the number of its expressions."""
    run = risbench.evaluate(method, split, out=out, shard=(number, count), device=device, progress=False)
    return run.summary["count"]


def main() -> None:
    """Run the shards, merge them and print two metrics."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="centre")
    parser.add_argument("--split", default="shapes_val")
    parser.add_argument("--out", default="runs/on-ray")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--gpus", type=float, default=0, help="of each shard")
    chosen = parser.parse_args()
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    task = shard.options(num_cpus=1, num_gpus=chosen.gpus)
    device = "cuda" if chosen.gpus else "cpu"  # Ray shows a task only the cards that are its own
    tasks = [
        task.remote(chosen.method, chosen.split, chosen.out, number, chosen.shards, device)
        for number in range(chosen.shards)
    ]
    print(f"expressions of each shard: {ray.get(tasks)}")
    run = risbench.merge(chosen.out)
    ray.shutdown()
    for name in ("mIoU", "PointM"):
        print(f"{name} {100 * run.summary['metrics'][name]['value']:.1f}")


if __name__ == "__main__":
    main()
