"""One check as a program that imports its framework alone and prints the digits that the report shows."""
