"""Balls, correct rounding and ulps for float16, bfloat16, float32 and float64."""

from __future__ import annotations

from conformance.arithmetic.formats import FORMATS, Format, from_storage, round_to, to_storage, ulp_of

__all__ = ["FORMATS", "Format", "from_storage", "round_to", "to_storage", "ulp_of"]
