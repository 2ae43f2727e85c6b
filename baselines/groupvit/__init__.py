"""GroupViT: its weights files, its features, three ways to read its groups, and the method."""

from .method import make as make
