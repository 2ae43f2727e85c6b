"""Floors that see neither image nor text: what a number is worth."""
