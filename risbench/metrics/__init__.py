"""Metrics and the rules for computing them; each file begins with its definition and its source."""
