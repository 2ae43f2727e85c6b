"""Files of weights: read without trusting them, checked key by key, named and found."""
