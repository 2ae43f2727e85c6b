"""Imports: make copies of data sets, and a user's own data, readable for the readers.

``copies`` is ``data import --from``: it scans a folder or archive (``scan``, ``archive``), recognises files by their
names and places (``recognise``), puts them into the data root (``placing``; ``parquet`` converts first) and loads the
available splits (``state``). ``own`` makes a user's own split from one JSON file.
"""
