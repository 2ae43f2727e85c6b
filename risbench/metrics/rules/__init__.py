"""Rules: one evaluation protocol a file, and `protocols`, which knows them by name."""
