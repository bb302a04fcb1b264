"""The words of every fault: a stranger's text made printable and short, and what was probably meant."""

from __future__ import annotations

from conformance.yaml.problems import meant, shown


def test_shown_is_printable_and_short() -> None:
    """A stranger's text can neither recolour a terminal nor fill a log."""
    assert shown("\x1b[31mred\nnew line") == r"'\x1b[31mred\nnew line'"
    assert len(shown("x" * 10_000)) == 48


def test_meant() -> None:
    assert meant("sofmax", ["softmax", "sigmoid"]) == "did you mean 'softmax'? There are: softmax, sigmoid"
    assert meant("x" * 100_000, ["softmax"]) == "one of: softmax"
    assert meant("a", []) == "one of: none"
