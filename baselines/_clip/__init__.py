"""What all methods with a CLIP share: opening any CLIP, encoding prompts, and reading its attention."""
