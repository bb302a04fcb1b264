"""Tensors of a case: literals, generators and landmarks."""
