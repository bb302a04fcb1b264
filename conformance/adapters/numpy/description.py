"""NumPy, without importing it."""

from ..description import Description

DESCRIPTION = Description(wheels=("numpy",))
