"""The five kinds of expected failure.

Their text is safe to show to the person who caused them; anything else that is raised is a bug.
"""

from collections.abc import Mapping


class BillingError(Exception):
    """Base of every expected failure. ``fields`` names the inputs at fault, each with its own message."""

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class NotFound(BillingError):
    """The subject does not exist, or this actor may not know that it does."""


class Conflict(BillingError):
    """The request is well formed but the record is in the wrong state."""


class Invalid(BillingError):
    """The input itself is wrong."""


class Forbidden(BillingError):
    """The actor is known and may not do this."""


class UpstreamFailed(BillingError):
    """A system that we depend on did not answer as it should."""
