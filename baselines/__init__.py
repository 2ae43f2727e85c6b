"""Published methods, each in one file that can be read alone, with the floors and controls to compare them with."""
