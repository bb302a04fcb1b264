"""NumPy: the reference that every interpreter has."""
