"""The rivals' trainers for the drawn world; each brings a recipe and a start to the loop of ``tris_model.train``."""
