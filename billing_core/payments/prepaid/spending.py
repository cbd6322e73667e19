"""Which credit is used first: what expires soonest, then what was given before what was bought, then the oldest."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from billing_core.payments.prepaid.models import Origin


@dataclass(frozen=True, slots=True)
class Available:
    """What is left of a grant, in minor units. A later grant has a greater id. ``expires_on`` None: never."""

    grant_id: int
    remaining_minor: int
    expires_on: date | None
    origin: Origin


def spread(amount_minor: int, grants: Iterable[Available]) -> list[tuple[int, int]]:
    """(grant id, minor units) in the order of their use: together the amount, or all there is where that is less."""
    parts = []
    for grant in sorted(grants, key=_turn):
        taken = min(amount_minor, grant.remaining_minor)
        if taken > 0:
            parts.append((grant.grant_id, taken))
            amount_minor -= taken
    return parts


def _turn(grant: Available) -> tuple[date, bool, int]:
    return grant.expires_on or date.max, grant.origin is Origin.BOUGHT, grant.grant_id
