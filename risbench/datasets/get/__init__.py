"""Getting data sets: from the table of sources into the data root, a piece at a time, and never twice."""
