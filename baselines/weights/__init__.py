"""The rivals' box: their tiny networks of the drawn world, each with a card that says how it was trained.

``pack`` puts a training's folder into it.
"""
