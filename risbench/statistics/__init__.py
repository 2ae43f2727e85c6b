"""Confidence intervals of metrics, and tests of differences between runs."""
