"""Results of a run: its frames, its files, its journal."""
