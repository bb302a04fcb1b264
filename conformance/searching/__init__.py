"""Searching: the worst inputs of functions of many numbers, by hill climbing from the corpus' cases."""
