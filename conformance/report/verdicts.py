"""Looks of the verdicts: a symbol beside the colour, so that nobody needs to see the colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """Look of a verdict.

    Attributes:
        name: The verdict.
        symbol: One sign, for everywhere.
        conforms: Whether the verdict conforms; None where it says nothing of that.
        meaning: The verdict in words.
    """

    name: str
    symbol: str
    conforms: bool | None
    meaning: str

    @property
    def css(self) -> str:
        """The verdict as a CSS class name."""
        return "v-" + self.name.replace(" ", "-")


# From best to worst: the position in this list is the severity.
LOOKS: tuple[Look, ...] = (
    Look("unsupported", "–", None, "the subject has no such operation, formulation, parameter or dtype"),
    Look("not run", "·", None, "the run ended before this check"),
    Look("exact", "●", True, "correctly rounded: at most half an ulp off"),
    Look("faithful", "◉", True, "less than one ulp off"),
    Look("accurate", "◎", True, "within what the best known algorithm attains"),
    Look("stable", "○", True, "within the bound of the standard stable algorithm"),
    Look("lossy", "▲", False, "outside the bound, but right to a quarter of the dtype's bits"),
    Look("wrong", "✕", False, "a wrong value, shape or dtype; nan, inf or 0 where a number is right"),
    Look("raised", "!", False, "an error where a value is defined"),
    Look("timed out", "◷", False, "the subject's process hung on it"),
    Look("crashed", "◆", False, "the subject's process died on it"),
)
LOOK: dict[str, Look] = {look.name: look for look in LOOKS}
SEVERITY: dict[str, int] = {look.name: severity for severity, look in enumerate(LOOKS)}
# What a heat map's cell shows where every deviation in it is documented.
KNOWN = Look("known", "◇", None, "a documented deviation, with its reason and source")


def in_order(looks: Iterable[Look]) -> list[Look]:
    """Verdicts as tables list them: the conforming, the failing, and last those that say nothing."""
    return sorted(looks, key=lambda look: (look.conforms is None, SEVERITY.get(look.name, len(LOOKS))))


def look(verdict: str) -> Look:
    """The look of a verdict; one that this version does not know is shown under its own name."""
    return LOOK.get(verdict) or Look(verdict, "?", None, "a verdict that this version does not know")
