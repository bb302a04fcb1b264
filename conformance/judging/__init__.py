"""Judging: answers and exact values become verdicts, relations and frames."""
