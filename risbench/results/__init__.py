"""The files of a run: rows, masks, heats, header and summary, written so that a killed run loses little."""
