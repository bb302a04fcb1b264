"""Features of a check: what its inputs, options and quantity are like, and the words for it."""
