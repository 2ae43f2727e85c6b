"""Risbench."""
