"""Ten times: call the command line in a process of its own, and kill it at a random moment. Prints how many died.

A program, because only a process without threads may fork; forking saves ten starts of Python.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import cv2  # noqa: F401  (the children need not import it either)

import risbench.cli.run  # noqa: F401
from risbench.cli import main


def main_ten_times(words: list[str], longest: float) -> int:
    chance, died = random.Random(), 0
    for _ in range(10):
        child = os.fork()
        if child == 0:
            sys.argv = ["risbench", *words]
            main()
        time.sleep(chance.uniform(0.02, longest))
        os.kill(child, signal.SIGKILL)
        died += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return died


if __name__ == "__main__":
    print(main_ten_times(sys.argv[2:], float(sys.argv[1])))
