"""A run in the forms of other tools: a table of its expressions, and COCO's files."""
