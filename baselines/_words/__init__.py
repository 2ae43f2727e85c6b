"""The classes that an expression names, and the words that compete with it."""
