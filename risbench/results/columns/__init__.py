"""Rows and masks of a run read in pieces into columns, without an object for each expression."""
