"""Formulas: an operation's value, derivatives and bound from one text over a small vocabulary."""
