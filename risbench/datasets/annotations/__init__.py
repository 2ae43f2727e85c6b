"""Annotation files: readers of REFER and ReferIt, and the table that both produce."""
