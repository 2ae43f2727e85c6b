"""One file per published method, each readable alone, and the floors and controls that a table needs beside them."""
