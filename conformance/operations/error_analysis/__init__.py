"""Error analysis: how far a subject may be from the exact value, element by element.

A function for each operation, which names it as its `error_bounds`; what it takes and returns: see
`model.ErrorBounds`. Formulas and their sources: docs/error-analysis.md.
"""
