"""Annotation files: readers of REFER and ReferIt, and the table of columns that both fill."""
