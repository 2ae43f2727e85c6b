"""Inference with a trained network: batches, half precision, fused layers, PRMS."""
