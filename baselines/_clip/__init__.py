"""Code that all methods with a CLIP share: it opens a CLIP, encodes prompts, and reads the attention."""
