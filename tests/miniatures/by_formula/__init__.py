"""Of operations that are formulas."""
