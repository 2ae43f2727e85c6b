"""Runs of many people in one ranking: entries, the board they lie on, and figures that papers reported."""
