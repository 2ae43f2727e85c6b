"""Run a method on a split: the loop, the run folder's header, shards, cost and progress."""
