"""Wrong on one path alone: right on the path that a test of a loss usually takes."""
