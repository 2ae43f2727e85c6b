"""Methods: the contract, the card, what wraps a method, and a check of the contract on drawn scenes."""
