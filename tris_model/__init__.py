"""TRIS: referring image segmentation from text supervision alone (Liu et al., ICCV 2023)."""
