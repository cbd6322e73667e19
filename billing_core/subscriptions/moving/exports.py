"""What a move would come to, as a file."""

from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.money import decimal_places
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports.formats import Download, csv_list
from billing_core.reports.exports.rows import scaled
from billing_core.subscriptions.moving import asked as asking
from billing_core.subscriptions.moving import rehearsing
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.moving.rehearsing import Row

COLUMNS: Final = (
    "id",
    "customer_name",
    "version",
    "new_version",
    "begins_on",
    "currency",
    "old_price",
    "new_price",
    "difference",
    "mail",
    "left_out",
)


def rehearsed(session: Session, actor: Actor, asked: Asked, *, for_excel: bool = False) -> Download:
    """Every subscription on the versions that are left, also those that stay there."""
    actor.require(Permission.EXPORT)
    actor.require(Permission.SUBSCRIPTION_WRITE)
    course = asking.course(session, asked)
    found = exports_rows.each(session, rehearsing.listing(session, actor, course, left_out=None))
    rows = (_line(asked, rehearsing.row_of(course, row)) for row in found)
    return csv_list("plan-move.csv", COLUMNS, rows, for_excel=for_excel)


def _line(asked: Asked, row: Row) -> tuple[Any, ...]:
    places = decimal_places(row.currency)
    return (
        row.public_id,
        row.customer_name,
        row.version,
        asked.version,
        row.begins_on,
        row.currency,
        scaled(row.before_minor, places),
        None if row.after_minor is None else scaled(row.after_minor, places),
        None if row.more_minor is None else scaled(row.more_minor, places),
        row.mail,
        None if row.left_out is None else row.left_out.value,
    )
