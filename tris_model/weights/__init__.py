"""The box: networks of the drawn world, trained by the committed recipes, and the card that says how.

``pack`` puts a training's folder into it, ``score`` adds what was measured to the card.

Those who pack other networks may use ``pack.shrink``, ``card.of_part`` and ``card.write``.
"""
