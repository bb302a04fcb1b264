"""Checking a user's function: its run beside the framework's own, the cause in words, and explain."""
