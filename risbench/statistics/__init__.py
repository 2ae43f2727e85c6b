"""How sure numbers are: intervals of metrics, and tests of differences between runs."""
