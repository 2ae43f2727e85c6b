"""One file a published method, floor or control, each readable alone; reached through entry points."""
