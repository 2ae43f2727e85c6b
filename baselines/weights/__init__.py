"""The shipped weights of the compared methods: tiny networks of the drawn world, each with a card of its training.

``pack`` adds a finished training to this folder.
"""
