"""Imports: copies of the data sets and a user's own data become files that the readers know.

``copies`` is ``data import --from``: it scans a folder or archive (``scan``, ``archive``), recognises files by their
names and places (``recognise``), puts them into the data root (``placing``; ``parquet`` converts first) and loads what
became available (``state``). ``own`` makes a split of one's own from one JSON file.
"""
