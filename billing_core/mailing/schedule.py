"""When reminders are due, counted in days after the due date; pure."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Final

from billing_core.errors import Invalid

DEFAULT_STEPS: Final = (-3, 0, 7, 14)
EARLIEST: Final = -60
LATEST: Final = 365
MOST_STEPS: Final = 12


def reached(steps: Collection[int], due_on: date, today: date) -> list[int]:
    """The steps whose day has come, in order."""
    age = (today - due_on).days
    return sorted(step for step in steps if step <= age)


def worth_sending(steps: Sequence[int], due_on: date, sent_on: date) -> int | None:
    """The latest reached step, which replaces the earlier ones. None where the invoice itself was sent on that day or
    later: it is not followed by a reminder on the same day.
    """
    latest = steps[-1]
    return latest if due_on + timedelta(days=latest) > sent_on else None


def checked(steps: Sequence[int]) -> tuple[int, ...]:
    """The steps in order; Invalid where there are none, too many, the same twice, or one out of bounds."""
    reason = ""
    if not 1 <= len(steps) <= MOST_STEPS:
        reason = f"are between 1 and {MOST_STEPS}"
    elif len(set(steps)) < len(steps):
        reason = "has the same day twice"
    elif not all(EARLIEST <= step <= LATEST for step in steps):
        reason = f"lie between {-EARLIEST} days before and {LATEST} days after the due date"
    if reason:
        raise Invalid("The schedule of reminders cannot be saved", fields={"steps": reason})
    return tuple(sorted(steps))
