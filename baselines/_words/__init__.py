"""Words: the classes that an expression names, and what competes with it."""
