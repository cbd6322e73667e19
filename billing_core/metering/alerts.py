"""Alerts on usage: what is watched for, whose usage is still to be held against it, and what was reached.

Recording only asks for a check, in its own transaction; so do another plan, other buckets, and another time zone, and
whoever is watched for what its usage costs is checked once a day. What was reached is decided afterwards, when all that
was recorded at the same time is there: two batches that are each below a threshold may be beyond it together.
"""

import enum
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    FromClause,
    Index,
    Select,
    String,
    UniqueConstraint,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, UtcDateTime
from billing_core.database.upserts import insert_into


class AlertMeasure(enum.StrEnum):
    """What a threshold is compared with: the share of the included API calls that is used, in percent; the API calls;
    or what the usage costs so far, without what tops it up to a minimum, in minor units of the alert's currency.
    """

    ALLOWANCE = "allowance"
    CALLS = "calls"
    COST = "cost"


_KEPT = text("removed_at IS NULL")
_ASKED = text("asked_at IS NOT NULL")


class UsageAlert(Base):
    """Tell once a period that a customer's usage has reached ``threshold``; ``customer_id`` None: any customer's.

    ``recipients`` are addresses of ours, ``to_customer`` mails the customer too. ``set_at``: since when it watches for
    this threshold. A removed one is kept for what it told.
    """

    __tablename__ = "usage_alerts"
    __table_args__ = (
        CheckConstraint("threshold > 0", name="threshold_positive"),
        CheckConstraint("(measure = 'cost') = (currency <> '')", name="currency_of_cost"),
        Index(
            "uq_usage_alerts_of_customer",
            *("customer_id", "measure", "threshold"),
            unique=True,
            sqlite_where=_KEPT,
            postgresql_where=_KEPT,
        ),
        Index(
            "uq_usage_alerts_of_all",
            *("measure", "threshold", "currency"),
            unique=True,
            sqlite_where=text("removed_at IS NULL AND customer_id IS NULL"),
            postgresql_where=text("removed_at IS NULL AND customer_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    measure: Mapped[AlertMeasure]
    threshold: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3), default="")
    to_customer: Mapped[bool]
    recipients: Mapped[list[str]]
    set_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}


class UsageCheck(Base):
    """A customer whose usage some alert watches. ``asked_at``: since when a check is due; None: it was made."""

    __tablename__ = "usage_checks"
    __table_args__ = (
        Index("ix_usage_checks_asked_at", "asked_at", sqlite_where=_ASKED, postgresql_where=_ASKED),
        Index("ix_usage_checks_checked_at", "checked_at"),
    )

    customer_id: Mapped[int] = mapped_column(
        ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    asked_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]


class ReachedThreshold(Base):
    """A threshold that a customer's usage reached in a period of billing-zone days, once; and how things stood then.

    ``cost_minor`` is what had a price, in minor units of ``currency``; None where nothing had one. It stays, whatever
    is withdrawn later.
    """

    __tablename__ = "usage_thresholds_reached"
    __table_args__ = (
        UniqueConstraint("alert_id", "customer_id", "first_day", "threshold", name="uq_usage_thresholds_reached_once"),
        Index("ix_usage_thresholds_reached_customer_id", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey(UsageAlert.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    threshold: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    included_calls: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    cost_minor: Mapped[int | None] = mapped_column(BigInteger)
    reached_at: Mapped[datetime]


def ask_where_watched(session: Session, changed: FromClause, *, now: datetime) -> None:
    """Have the customers of these rows, such as events, checked who are watched, unless they are to be checked anyway:
    whoever checks takes the customer's row first, as who changed something of it did, and so waits for all that relied
    on an earlier ask.
    """
    # One look where nobody watches anything, rather than one at each customer.
    if session.scalar(select(UsageAlert.id).where(UsageAlert.removed_at.is_(None)).limit(1)) is None:
        return
    of_customer = or_(UsageAlert.customer_id.is_(None), UsageAlert.customer_id == Customer.id)
    watched = select(literal(1)).where(UsageAlert.removed_at.is_(None), of_customer).exists()
    asked = select(literal(1)).where(UsageCheck.customer_id == Customer.id, UsageCheck.asked_at.is_not(None)).exists()
    used = Customer.id.in_(select(changed.c.customer_id))
    ask(session, select(Customer.id).where(used, watched, ~asked), now=now)


def ask(session: Session, customer_ids: Select[int], *, now: datetime) -> None:
    """Have these customers checked, once this transaction is committed."""
    due = customer_ids.add_columns(literal(now, UtcDateTime)).order_by(Customer.id)
    new = insert_into(session, UsageCheck).from_select(["customer_id", "asked_at"], due)
    earliest = func.coalesce(UsageCheck.asked_at, new.excluded.asked_at)
    session.execute(new.on_conflict_do_update(index_elements=["customer_id"], set_={"asked_at": earliest}))
