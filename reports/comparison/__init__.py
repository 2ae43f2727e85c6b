"""The tables of the TRIS paper in miniature: every compared method on drawn scenes, beside what papers printed.

``make comparison`` runs the methods with their shipped weights (``python -m reports.comparison``), and writes the page,
the two tables for LaTeX and the picture that lie in this folder. ``make comparison TRAIN=1`` trains the networks anew.
"""
