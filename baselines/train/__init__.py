"""Trainers of the compared methods for the drawn world.

Each gives its recipe and its initial network to the loop of ``tris_model``.
"""
