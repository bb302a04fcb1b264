"""Implementations that the error analysis speaks of: the standard and the best, in any of the dtypes."""
