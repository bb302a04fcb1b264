"""Implementations that the error analysis speaks about: standard, best and naive, in any of the four dtypes."""
