"""GroupViT: its network's file, its features, three readings of its groups, and the method."""

from .method import make as make
