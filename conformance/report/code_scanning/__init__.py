"""Code scanning: SARIF and annotations, and the lines that they point to."""
