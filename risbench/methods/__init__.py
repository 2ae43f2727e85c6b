"""Methods: their contract and card, wrappers round a method, and a check of the contract on drawn scenes."""
