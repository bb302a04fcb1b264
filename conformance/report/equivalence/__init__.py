"""Equivalence of subjects: how far apart they are, and on which inputs they agree."""
