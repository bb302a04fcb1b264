"""Subjects: what is under test, and the environment and interpreter that it runs in."""
