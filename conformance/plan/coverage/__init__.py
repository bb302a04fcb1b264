"""Coverage of a profile: the cells (axis x class) that its checks fall into, and reasons of empty ones."""
