"""Results made visible; ``render(runs, *, out, metrics, data_root, …)`` returns text or writes ``out``."""
