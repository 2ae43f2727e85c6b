"""Floors: methods that use neither image nor text. Any real method must score above them."""
