"""Controls that read the truth: what an answer of the right kind would score."""
