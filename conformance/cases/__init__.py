"""Cases: case files, the corpus that they make, and the deviations that are known."""
