"""YAML text as a tree that knows its lines, and problems that name them."""
