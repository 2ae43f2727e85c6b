"""Metrics and the rules under which they are computed; each file opens with its definition and its source."""
