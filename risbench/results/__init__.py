"""What a run leaves behind: rows, masks, heats, header and summary, written so that a kill loses little."""
