"""The tiny CLIP of the drawn world: lessons, questions, contrast, and the loop in which two towers learn."""
