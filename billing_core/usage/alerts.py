"""Alerts on usage: who is told that which threshold was reached, set up by people, and what was reached so far."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.ordering import no_such_start
from billing_core.email_addresses import address_fault
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.alerts import AlertMeasure, ReachedThreshold, UsageAlert, ask
from billing_core.money import currency_code

MOST_RECIPIENTS: Final = 20
# Percent, calls, and minor units: beyond them nothing is ever reached.
GREATEST: Final = {AlertMeasure.ALLOWANCE: 10_000, AlertMeasure.CALLS: 10**15, AlertMeasure.COST: 10**15}
MOST_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Threshold:
    """``value``: percent of the allowance, calls, or minor units of ``currency``, which only a cost has; that of
    one customer's may be left out.
    """

    measure: AlertMeasure
    value: int
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Who gets a mail: people at these addresses, and the customer at its own. Webhook endpoints are told anyway."""

    recipients: tuple[str, ...] = ()
    to_customer: bool = False


@dataclass(frozen=True, slots=True)
class AlertRow:
    """``customer_id`` None: it watches every customer. ``version`` is what ``change`` expects."""

    id: int
    customer_id: int | None
    customer: str | None
    customer_ref: str | None
    customer_uuid: str | None
    measure: AlertMeasure
    threshold: int
    currency: str
    to_customer: bool
    recipients: list[str]
    set_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class ReachedRow:
    """A threshold that was reached, and how things stood then; the fields as in ``ReachedThreshold``."""

    id: int
    customer_id: int
    customer: str
    customer_ref: str
    customer_uuid: str
    measure: AlertMeasure
    threshold: int
    alert_currency: str
    first_day: date
    last_day: date
    calls: int
    included_calls: int
    currency: str
    cost_minor: int | None
    reached_at: datetime


def create(
    session: Session, actor: Actor, customer_id: int | None, threshold: Threshold, told: Told, *, now: datetime
) -> UsageAlert:
    """Watch one customer's usage, or (None) everybody's. Conflict where that is watched for already.

    Whoever has reached it in this period already is told too.
    """
    actor.require(Permission.PLAN_WRITE)
    customer = None if customer_id is None else customers.for_change(session, actor, customer_id)
    if customer is None and actor.customer_id is not None:
        raise Forbidden("Whoever is bound to one customer cannot watch the others")
    checked = _checked(threshold, customer.currency if customer else None)
    recipients = _addresses(told)
    alert = UsageAlert(
        customer_id=customer_id,
        measure=checked.measure,
        threshold=checked.value,
        currency=checked.currency,
        to_customer=told.to_customer,
        recipients=recipients,
        set_at=now,
    )
    with _once(session):
        session.add(alert)
    _ask(session, alert, now)
    subject, label = ("usage_alert", alert.id), customer.name if customer else "every customer"
    audit.record(session, actor, "usage_alert.create", subject, label=label, after=_facts(alert), now=now)
    return alert


def change(
    session: Session, actor: Actor, alert_id: int, value: int, told: Told, *, drawn_from: int, now: datetime
) -> UsageAlert:
    """Move the threshold, or tell others. Whoever reaches the new one is told, whether or not the former was reached.

    Conflict where somebody has changed it since version ``drawn_from``.
    """
    actor.require(Permission.PLAN_WRITE)
    alert = _for_change(session, actor, alert_id)
    if alert.version != drawn_from:
        raise Conflict("Somebody has changed this alert in the meantime. Look at it again.")
    checked = _checked(Threshold(alert.measure, value, alert.currency), None)
    before, recipients = _facts(alert), _addresses(told)
    with _once(session):
        if checked.value != alert.threshold:
            alert.threshold, alert.set_at = checked.value, now
        alert.recipients, alert.to_customer = recipients, told.to_customer
    was, became = audit.changed(before, _facts(alert))
    if not became:
        raise Invalid("Nothing would change")
    _ask(session, alert, now)
    subject = ("usage_alert", alert.id)
    audit.record(session, actor, "usage_alert.change", subject, before=was, after=became, now=now)
    return alert


def remove(session: Session, actor: Actor, alert_id: int, *, now: datetime) -> None:
    """Watch no longer; what it told stays on the list."""
    actor.require(Permission.PLAN_WRITE)
    alert = _for_change(session, actor, alert_id)
    alert.removed_at = now
    audit.record(session, actor, "usage_alert.remove", ("usage_alert", alert.id), before=_facts(alert), now=now)


def alerts(
    session: Session,
    actor: Actor,
    *,
    customer_id: int | None = None,
    after_id: int | None = None,
    limit: int = MOST_AT_ONCE,
) -> list[AlertRow]:
    """What is watched for, in the order of creation; with ``customer_id``, what concerns that customer. ``after_id``:
    those that follow this one; Invalid.
    """
    actor.require(Permission.USAGE_READ)
    statement = _rows(actor)
    if after_id is not None:
        # Also one that has been removed since: its place in the list is known.
        if not session.scalar(select(exists().where(UsageAlert.id == after_id, _visible(actor)))):
            raise no_such_start()
        statement = statement.where(UsageAlert.id > after_id)
    if customer_id is not None:
        statement = statement.where(or_(UsageAlert.customer_id == customer_id, UsageAlert.customer_id.is_(None)))
    return [AlertRow(*row) for row in session.execute(statement.order_by(UsageAlert.id).limit(limit))]


def one(session: Session, actor: Actor, alert_id: int) -> AlertRow:
    """One alert; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.USAGE_READ)
    row = session.execute(_rows(actor).where(UsageAlert.id == alert_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such alert")
    return AlertRow(*row)


def reached(
    session: Session,
    actor: Actor,
    *,
    customer_id: int | None = None,
    before_id: int | None = None,
    limit: int = MOST_AT_ONCE,
) -> list[ReachedRow]:
    """What was reached, the latest first. ``before_id``: those that follow this one in that order."""
    actor.require(Permission.USAGE_READ)
    statement = reached_rows().where(visible_to(actor, ReachedThreshold.customer_id))
    if customer_id is not None:
        statement = statement.where(ReachedThreshold.customer_id == customer_id)
    if before_id is not None:
        statement = statement.where(ReachedThreshold.id < before_id)
    latest_first = statement.order_by(ReachedThreshold.id.desc()).limit(limit)
    return [ReachedRow(*row) for row in session.execute(latest_first)]


def reached_one(session: Session, actor: Actor, reached_id: int) -> ReachedRow:
    """One threshold that was reached; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.USAGE_READ)
    visible = visible_to(actor, ReachedThreshold.customer_id)
    row = session.execute(reached_rows().where(ReachedThreshold.id == reached_id, visible)).one_or_none()
    if row is None:
        raise NotFound("There is no such threshold")
    return ReachedRow(*row)


def reached_rows() -> Select[*tuple[Any, ...]]:
    """Selects the columns of ``ReachedRow``."""
    return (
        select(
            ReachedThreshold.id,
            ReachedThreshold.customer_id,
            Customer.name,
            Customer.ref,
            Customer.uuid,
            UsageAlert.measure,
            ReachedThreshold.threshold,
            UsageAlert.currency,
            ReachedThreshold.first_day,
            ReachedThreshold.last_day,
            ReachedThreshold.calls,
            ReachedThreshold.included_calls,
            ReachedThreshold.currency,
            ReachedThreshold.cost_minor,
            ReachedThreshold.reached_at,
        )
        .join_from(ReachedThreshold, UsageAlert, UsageAlert.id == ReachedThreshold.alert_id)
        .join(Customer, Customer.id == ReachedThreshold.customer_id)
    )


def _rows(actor: Actor) -> Select[*tuple[Any, ...]]:
    """The columns of ``AlertRow``, of what is watched for."""
    columns = (
        *(UsageAlert.id, UsageAlert.customer_id, Customer.name, Customer.ref, Customer.uuid),
        *(UsageAlert.measure, UsageAlert.threshold, UsageAlert.currency, UsageAlert.to_customer),
        *(UsageAlert.recipients, UsageAlert.set_at, UsageAlert.version),
    )
    return (
        select(*columns)
        .join(Customer, Customer.id == UsageAlert.customer_id, isouter=True)
        .where(UsageAlert.removed_at.is_(None), _visible(actor))
    )


def _visible(actor: Actor) -> ColumnElement[bool]:
    """Who is bound to a customer sees that one's alone: whom we tell about everybody is nothing to them."""
    return true() if actor.customer_id is None else UsageAlert.customer_id == actor.customer_id


def _for_change(session: Session, actor: Actor, alert_id: int) -> UsageAlert:
    statement = select(UsageAlert).where(UsageAlert.id == alert_id, UsageAlert.removed_at.is_(None), _visible(actor))
    locked = statement.with_for_update().execution_options(populate_existing=True)
    alert = session.scalars(locked).one_or_none()
    if alert is None:
        raise NotFound("There is no such alert")
    return alert


@contextmanager
def _once(session: Session) -> Iterator[None]:
    """Conflict where what is written inside is watched for already, by the database, which knows what others write."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError:
        reason = "there is one already"
        raise Conflict("There is an alert at this threshold already", fields={"threshold": reason}) from None


def _ask(session: Session, alert: UsageAlert, now: datetime) -> None:
    """Everybody whom it watches, also who has no usage yet: somebody may be recording the first just now."""
    watched = select(Customer.id)
    if alert.customer_id is not None:
        watched = watched.where(Customer.id == alert.customer_id)
    ask(session, watched, now=now)


def _checked(threshold: Threshold, own_currency: str | None) -> Threshold:
    """``own_currency``: the customer's, in which alone a cost of its usage is; None: a cost is in what the threshold
    names.
    """
    greatest = GREATEST[threshold.measure]
    if not 0 < threshold.value <= greatest:
        raise Invalid(
            f"The threshold must be from 1 to {greatest:,}", fields={"threshold": f"must be from 1 to {greatest:,}"}
        )
    if threshold.measure is not AlertMeasure.COST:
        if threshold.currency:
            raise Invalid("Only a cost has a currency", fields={"currency": "is of a cost alone"})
        return threshold
    currency = currency_code(threshold.currency or own_currency or "")
    if own_currency not in (None, currency):
        reason = f"must be {own_currency}, in which this organization is billed"
        raise Invalid(f"The currency {reason}", fields={"currency": reason})
    return Threshold(threshold.measure, threshold.value, currency)


def _addresses(told: Told) -> list[str]:
    """Each once, in their order; Invalid names what is none."""
    given: Sequence[str] = [address.strip() for address in told.recipients if address.strip()]
    for address in given:
        if fault := address_fault(address):
            reason = f"“{address[:100]}” {fault}"
            raise Invalid(reason, fields={"recipients": reason})
    addresses = list(dict.fromkeys(given))
    if len(addresses) > MOST_RECIPIENTS:
        reason = f"may be at most {MOST_RECIPIENTS}"
        raise Invalid(f"The recipients {reason}", fields={"recipients": reason})
    return addresses


def _facts(alert: UsageAlert) -> dict[str, Any]:
    return {
        "customer_id": alert.customer_id,
        "measure": alert.measure.value,
        "threshold": alert.threshold,
        "currency": alert.currency,
        "to_customer": alert.to_customer,
        "recipients": list(alert.recipients),
    }
