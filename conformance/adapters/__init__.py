"""Adapters: the frameworks, one folder each; run in the subject's interpreter, without the rest of us."""
