"""The figure of those who were kept from guessing."""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Select

from billing_core.audit.models import AuditEntry
from billing_core.dates import usual_day
from billing_core.figures import Figure, Scope, day_of, one_each
from billing_core.identity import Permission
from billing_core.people.guessing import REFUSED, REFUSED_PROGRAM

DAYS: Final = 7


def _refused(scope: Scope) -> Select[*tuple[Any, ...]]:
    named = AuditEntry.actor_name + ": " + AuditEntry.subject_label
    rows = one_each(AuditEntry.id, named, day_of(AuditEntry.at))
    rows = rows.where(AuditEntry.action.in_((REFUSED, REFUSED_PROGRAM)))
    if scope.today is None:
        return rows
    first = usual_day(scope.today) - timedelta(days=DAYS)
    return rows.where(AuditEntry.at >= datetime.combine(first, time.min, UTC))


REFUSED_GUESSES: Final = Figure(
    key="refused_guesses",
    title="Guesses that were refused",
    definition=f"Times in the last {DAYS} days that somebody had to wait after too many wrong passwords, of one "
    "account or from one address, or sent the APIs too many credentials that are none. Nobody got in by that; the "
    "audit log has the addresses.",
    formula="number of times, each counted once while it lasts",
    permission=Permission.USER_MANAGE,
    rows=_refused,
)
