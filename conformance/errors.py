"""The errors that a user can mend: each one's text is a clear line, and the command line exits with 2."""

from __future__ import annotations


class ConformanceError(Exception):
    """The call, a case file or the environment is at fault; the text says what and how to mend it."""


class CaseError(ConformanceError):
    """A case file does not follow the schema; a line `file:line:column: ...` for each fault."""


class ArgumentError(ConformanceError, ValueError):
    """Inputs or parameters that an operation does not accept: shape, range, an unknown parameter."""


class SubjectError(ConformanceError):
    """A subject that does not exist, is not installed, or cannot be started."""


class RunError(ConformanceError):
    """A run's directory that cannot be written, read or resumed."""
