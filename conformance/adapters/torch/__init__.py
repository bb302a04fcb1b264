"""PyTorch: the adapter and the formulations."""
