"""Execution of a plan: workers, their processes and pipes, back pressure, signals."""
