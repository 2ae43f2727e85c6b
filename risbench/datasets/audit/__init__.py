"""Audits of a split: counts, images, outlines, duplicates, and leaks between splits."""
