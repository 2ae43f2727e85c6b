"""Score predictions from files: every format that is read, and how names are matched to expressions."""
