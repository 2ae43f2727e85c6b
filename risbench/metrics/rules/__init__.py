"""Rules: one evaluation protocol in each file, and `protocols`, which finds them by name."""
