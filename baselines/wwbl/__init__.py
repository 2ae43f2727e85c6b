"""WWbL (What is Where by Looking, Shaharabany et al., NeurIPS 2022): its network, its losses, its file, its training."""

from .method import make as make
