"""Signing a customer up without keeping anything of it: what would be billed at once, and afterwards."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.invoices import queries as invoices
from billing_core.plans import offers
from billing_core.plans import queries as plans
from billing_core.plans.models import TrialEnd
from billing_core.plans.offers import Offer
from billing_core.subscriptions import invoicing, queries, service
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.overview import forecast
from billing_core.subscriptions.overview.forecast import Bill, BillLine
from billing_core.subscriptions.service import Wanted

FOLLOWING = 3


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """``first``: what is billed at once, None in a trial, or where that is nothing. ``to_pay_minor`` of it is left once
    the customer's credit has paid what it can. ``following``: the next bills. Minor units of ``currency``.
    """

    currency: str
    zone: str
    trial_end: TrialEnd
    trial_ends_at: datetime | None
    first: Bill | None
    to_pay_minor: int
    following: tuple[Bill, ...]


def rehearse(session: Session, actor: Actor, wanted: Wanted, *, has_method: bool, now: datetime) -> Rehearsed:
    """What ``subscribe`` would come to, by what it does itself. Refused for the same reasons."""
    attempt = session.begin_nested()
    try:
        subscription, made = service.create(session, actor, wanted, method_id=None, now=now)
        offer = queries.terms(session, subscription).offer
        first = None if made is None else _first(session, actor, subscription, made)
        to_pay = 0
        if made is not None and made.invoice_id is not None:
            to_pay = invoicing.amount_to_pay(session, actor, made.invoice_id)
        following = forecast.bills(session, actor, subscription.id, count=FOLLOWING, has_method=has_method)
        return Rehearsed(
            currency=subscription.currency,
            zone=subscription.zone,
            trial_end=offer.trial_end,
            trial_ends_at=subscription.trial_ends_at,
            first=first,
            to_pay_minor=to_pay,
            following=tuple(following),
        )
    finally:
        attempt.rollback()


def offered(session: Session, actor: Actor, customer_id: int, plan_code: str) -> Offer:
    """What the plan's latest version costs this customer; NotFound, Invalid where it cannot be had in its currency."""
    currency = customers.one(session, actor, customer_id).currency
    return offers.offer(session, plans.latest(session, actor, plan_code).id, currency)


def _first(session: Session, actor: Actor, subscription: Subscription, made: SubscriptionInvoice) -> Bill | None:
    begun = queries.period(session, subscription)
    if made.invoice_id is None or begun is None:
        return None
    invoice = invoices.one(session, actor, made.invoice_id)
    return Bill(
        number=begun.number,
        issued_on=invoice.issued_on,
        days=Period(begun.first_day, begun.last_day),
        lines=tuple(BillLine(line.description, line.amount_minor) for line in invoices.lines(session, made.invoice_id)),
        tax_minor=invoice.tax_minor,
        total_minor=invoice.total_minor,
    )
