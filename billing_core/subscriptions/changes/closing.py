"""What cancelling a subscription comes to: what is given back of days that are not used, and what becomes of invoices.

The one computation of it, for the preview and for the cancellation itself: its token names everything that it shows.
"""

import enum
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.off_session import attempts
from billing_core.plans.models import BillingTiming
from billing_core.subscriptions import beginning, calendar, collecting, queries
from billing_core.subscriptions.changes import giving_back, proposing, unused
from billing_core.subscriptions.changes.coming import Line
from billing_core.subscriptions.changes.giving_back import ToCard
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.lifecycle import TRIALING
from billing_core.subscriptions.models import InvoiceKind, Subscription, SubscriptionInvoice, SubscriptionPeriod


class Unused(enum.StrEnum):
    """What becomes of days that were charged and are not used."""

    CREDIT = "credit"
    REFUND = "refund"
    NOTHING = "nothing"


class OpenInvoices(enum.StrEnum):
    """What becomes of invoices that are not paid."""

    KEEP = "keep"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Ending:
    """How it is to end. ``at_period_end``: then ``unused`` and ``open_invoices`` are of no account."""

    at_period_end: bool = False
    unused: Unused = Unused.CREDIT
    open_invoices: OpenInvoices = OpenInvoices.KEEP
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that is not paid. Of what is due, ``credited_minor`` is taken off for days that are not used, and
    ``voided_minor`` is not asked for any more.
    """

    id: int
    public_id: str
    number: str | None
    due_minor: int
    credited_minor: int
    voided_minor: int

    @property
    def left_minor(self) -> int:
        return self.due_minor - self.credited_minor - self.voided_minor


@dataclass(frozen=True, slots=True)
class Closing:
    """Amounts in minor units of ``currency``, tax included, but for the ``lines``. ``last_day``: of use.

    The ``credits`` for unused days first lower what is due on ``invoices``, and what was paid of them goes back: the
    ``refunds`` to cards, and of the ``rest`` what prepaid credit paid to that, and ``kept_minor`` becomes the
    customer's credit. ``has_more``: what was used up to the last day is billed once that is over. ``unbilled_from``:
    the first of the days that wait for a person's decision, and will not be billed. ``scheduled``: changes that are
    dropped.
    """

    subscription: str
    version: int
    currency: str
    ending: Ending
    last_day: date
    invoices: tuple[OpenInvoice, ...]
    credits: tuple[Credit, ...] = ()
    lines: tuple[Line, ...] = ()
    refunds: tuple[ToCard, ...] = ()
    rest: tuple[Credit, ...] = ()
    kept_minor: int = 0
    has_more: bool = False
    unbilled_from: date | None = None
    scheduled: tuple[int, ...] = ()

    @property
    def credited_minor(self) -> int:
        return sum(one.gross_minor for one in self.credits)

    @property
    def tax_minor(self) -> int:
        """The tax in what is credited."""
        return sum(one.tax_minor for one in self.credits)

    @property
    def off_invoices_minor(self) -> int:
        return sum(one.credited_minor for one in self.invoices)

    @property
    def refunded_minor(self) -> int:
        return sum(one.amount_minor for one in self.refunds)

    @property
    def prepaid_minor(self) -> int:
        """What goes back to prepaid credit."""
        return self.credited_minor - self.off_invoices_minor - self.refunded_minor - self.kept_minor

    @property
    def token(self) -> str:
        """Names all of this, but for the reason: a subscription that has changed, another day or another amount has
        another one.
        """
        ending = self.ending
        told = {
            "subscription": [self.subscription, self.version, self.currency, str(self.last_day)],
            "ending": [ending.at_period_end, ending.unused, ending.open_invoices],
            "credits": [[one.charge_id, one.net_minor, one.tax_minor] for one in self.credits],
            "refunds": [[one.payment_id, one.amount_minor] for one in self.refunds],
            "kept": self.kept_minor,
            "invoices": [[one.id, one.due_minor, one.credited_minor, one.voided_minor] for one in self.invoices],
            "has_more": self.has_more,
            "unbilled_from": self.unbilled_from and str(self.unbilled_from),
            "scheduled": self.scheduled,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def compute(
    session: Session, actor: Actor, subscription: Subscription, ending: Ending, *, mode: Mode, now: datetime
) -> Closing:
    """What it comes to at this instant; nothing is changed. ``mode``: in which refunds are made now.

    Conflict where it is over, or what is due is being charged just now.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    _refuse_unready(session, subscription, mode, now)
    begun = queries.period(session, subscription)
    found = open_invoices(session, subscription)
    if ending.at_period_end:
        return _at_period_end(subscription, ending, begun, found, now)
    if any(attempts.running(session, invoice.id, answered_in=mode) for invoice in found):
        raise Conflict("What is due is being charged: try again in a moment")
    day = calendar.local(now, subscription.zone)[0]
    voided = {invoice.id for invoice in found} if ending.open_invoices is OpenInvoices.VOID else set[int]()
    given: list[Credit] = []
    if begun is not None and ending.unused is not Unused.NOTHING:
        # Nothing is given back of what is cancelled as a whole.
        cancelled = {invoice.id for invoice in found if invoice.id in voided and is_untouched(invoice)}
        first_unused = day + timedelta(days=1)
        given = unused.of_period(session, subscription, begun.number, first_unused, without=cancelled)
    refunds: list[ToCard] = []
    rest = given
    if ending.unused is Unused.REFUND:
        refunds, rest = giving_back.divided(session, actor, given, mode)
    language = session.get_one(Customer, subscription.customer_id).locale
    return Closing(
        subscription=subscription.public_id,
        version=subscription.version,
        currency=subscription.currency,
        ending=ending,
        last_day=day,
        invoices=tuple(_shown(invoice, given, voided=invoice.id in voided) for invoice in found),
        credits=tuple(given),
        lines=tuple(Line(unused.words(one, language), -one.net_minor) for one in given),
        refunds=tuple(refunds),
        rest=tuple(rest),
        kept_minor=unused.kept_minor(session, rest),
        has_more=begun is not None and _has_more_to_bill(session, subscription, begun),
        unbilled_from=_unbilled_from(subscription, now),
        scheduled=tuple(one.id for one in queries.scheduled(session, subscription.id)),
    )


def open_invoices(session: Session, subscription: Subscription) -> Sequence[Invoice]:
    """Those of its periods and changes; what a person added is theirs to decide on."""
    statement = (
        select(Invoice)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(
            SubscriptionInvoice.subscription_id == subscription.id,
            SubscriptionInvoice.kind != InvoiceKind.OTHER,
            Invoice.state == InvoiceState.OPEN,
        )
    )
    return session.scalars(statement.order_by(Invoice.id)).all()


def is_untouched(invoice: Invoice) -> bool:
    """Whether it can be cancelled as a whole: else what is due on it is credited."""
    return not invoice.paid_minor and not invoice.written_off_minor


def _refuse_unready(session: Session, subscription: Subscription, mode: Mode, now: datetime) -> None:
    """One that is held, because its periods wait for a person, can end without them."""
    if collecting.unanswered(session, subscription.id, mode) is not None:
        raise Conflict(
            f"What a change of the subscription {subscription.public_id} costs was charged to a card for real money, "
            "of which nothing is heard now: withdraw that change first"
        )
    by_then = now if subscription.held_at is None else subscription.created_at
    proposing.refuse_unready(session, subscription, by_then)


def _at_period_end(
    subscription: Subscription,
    ending: Ending,
    begun: SubscriptionPeriod | None,
    found: Sequence[Invoice],
    now: datetime,
) -> Closing:
    """Nothing is given back, and what is due is collected as ever. A trial lasts until some time of its last day."""
    ends_on = calendar.local(subscription.next_at or now, subscription.zone)[0]
    return Closing(
        subscription=subscription.public_id,
        version=subscription.version,
        currency=subscription.currency,
        ending=Ending(at_period_end=True, reason=ending.reason),
        last_day=ends_on if begun is None else begun.last_day,
        invoices=tuple(_shown(invoice, (), voided=False) for invoice in found),
    )


def _shown(invoice: Invoice, given: Sequence[Credit], *, voided: bool) -> OpenInvoice:
    off_due = min(invoice.due_minor, sum(one.gross_minor for one in given if one.invoice_id == invoice.id))
    left = invoice.due_minor - off_due
    return OpenInvoice(
        invoice.id, invoice.public_id, invoice.number, invoice.due_minor, off_due, voided_minor=left if voided else 0
    )


def _unbilled_from(subscription: Subscription, now: datetime) -> date | None:
    """Whoever wants these days billed releases it first."""
    if subscription.held_at is None or subscription.next_at is None or subscription.next_at > now:
        return None
    return calendar.local(subscription.next_at, subscription.zone)[0]


def _has_more_to_bill(session: Session, subscription: Subscription, begun: SubscriptionPeriod) -> bool:
    if begun.paused or subscription.state is TRIALING:
        return False
    offers = [terms.offer for terms, _ in beginning.stretches(session, subscription, begun)]
    return any(offer.has_usage or offer.timing is BillingTiming.ARREARS for offer in offers)
