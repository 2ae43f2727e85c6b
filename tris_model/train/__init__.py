"""How TRIS learns: one visible loop a stage, and the tiny CLIP of the drawn world."""
