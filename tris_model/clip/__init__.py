"""A CLIP with a ResNet: towers, trunk, text transformer, tokens and pixels. The names below are the public ones."""
