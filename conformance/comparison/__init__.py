"""Comparison of two runs: baselines, upgrades, and what changed."""
