"""The shipped weights: networks of the drawn world, trained by the committed recipes, and a card of their training.

``pack`` adds a finished training to this folder; ``score`` adds measured scores to the card.

Code that packs other networks may use ``pack.shrink``, ``card.of_part`` and ``card.write``.
"""
