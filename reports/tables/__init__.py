"""Tables of results: rows and columns before any markup, and the four forms in which they are printed."""
