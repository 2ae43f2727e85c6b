"""How TRIS learns: one visible loop a stage, and the tiny CLIP of the drawn world.

Trainers of other networks of the drawn world may use, and nothing else:

- ``towers``: ``teach`` (the loop), ``Course`` (the recipe that theirs extends), ``Towers`` (what it asks of a network),
  ``centre_texts``, ``word_ids``;
- what a step shows and asks: ``lessons`` (``Lesson``, ``Shown``, ``show``, ``ask``), ``pictures.Pictures``,
  ``questions.Thing``, ``contrast``;
- ``recipe.one`` and ``recipe.names`` with a folder of their own; ``journal.Stopped``.
"""
