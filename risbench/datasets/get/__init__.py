"""Download data sets from the table of sources into the data root; what exists is not downloaded again."""
