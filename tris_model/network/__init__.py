"""TRIS's two networks and their parts."""
