"""The proof that subscriptions bill each period once, for what was agreed, and stand where that says."""

from collections.abc import Iterator
from itertools import chain

from sqlalchemy.orm import Session

from billing_core.proof import Check
from billing_core.subscriptions.verification import billed, moved, standing


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    return chain(billed.checks(session), standing.checks(session), moved.checks(session))
