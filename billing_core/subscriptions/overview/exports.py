"""The list of subscriptions as a file."""

from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.money import decimal_places
from billing_core.plans import queries as plans
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.json import instant
from billing_core.reports.exports.rows import scaled
from billing_core.subscriptions.overview.search import ListedSubscription, SubscriptionFilter, listing

COLUMNS: Final = (
    "id",
    "customer_id",
    "customer_name",
    "plan_code",
    "status",
    "paused",
    "held",
    "ends_with_period",
    "currency",
    "monthly_amount",
    "seats",
    "next_at",
    "trial_ends_at",
    "canceled_at",
    "created_at",
)


def subscriptions(session: Session, actor: Actor, filters: SubscriptionFilter, *, for_excel: bool = False) -> Download:
    """Every subscription that matches, in the requested order: the page's list without its limit."""
    actor.require(Permission.EXPORT)
    plans.must_be_one(session, actor, filters.plan)
    found = exports_rows.each(session, listing(actor, filters))
    rows = (_line(ListedSubscription(*row)) for row in found)
    return csv_list("subscriptions.csv", COLUMNS, rows, for_excel=for_excel)


def _line(row: ListedSubscription) -> tuple[Any, ...]:
    return (
        row.public_id,
        row.customer_id,
        row.customer_name,
        row.plan_code,
        row.state.value,
        row.paused_at is not None,
        row.held_at is not None,
        row.cancel_at_period_end,
        row.currency,
        scaled(row.monthly_minor, decimal_places(row.currency)),
        row.seats,
        instant(row.next_at),
        instant(row.trial_ends_at),
        instant(row.canceled_at),
        instant(row.created_at),
    )
