"""Credits for days that were charged and will not be used: credit notes on the invoices that charged them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.invoices import credit_notes
from billing_core.invoices import queries as invoices
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import Invoice, InvoiceState, LineType
from billing_core.invoices.report_wording import days as days_words
from billing_core.languages.formats import writing
from billing_core.money import nearest, split
from billing_core.payments import crediting
from billing_core.payments.prepaid import returning
from billing_core.subscriptions import proration
from billing_core.subscriptions.models import ChargeKind, Subscription, SubscriptionCharge

_OWED = (InvoiceState.OPEN, InvoiceState.PAID)


@dataclass(frozen=True, slots=True)
class Credit:
    """The unused ``days`` of a charge: ``net_minor`` of it, with the tax of then."""

    charge_id: int
    invoice_id: int
    kind: ChargeKind
    code: str
    days: Period
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


@dataclass(slots=True)
class _Room:
    """What can be credited of an invoice that billed days. Minor units; ``taken`` is planned."""

    invoice: Invoice
    whole: Share
    left: Share
    net_taken: int = 0
    tax_taken: int = 0

    def take(self, net_minor: int, shown_tax_minor: int | None = None) -> tuple[int, int]:
        """So much of it with its tax, or what is left of it. All that is ever taken is rounded together, unless its tax
        was shown before.
        """
        invoice, whole, left = self.invoice, self.whole, self.left
        # Lines that take something off may leave less than nothing of the rest.
        net = min(net_minor, max(left.net_minor - self.net_taken, 0))
        if net <= 0 and not shown_tax_minor:
            return 0, 0
        if shown_tax_minor is not None and net == net_minor:
            tax = shown_tax_minor
        else:
            before = whole.net_minor - left.net_minor + self.net_taken
            tax = nearest((before + net) * whole.tax_minor, whole.net_minor) - (
                whole.tax_minor - left.tax_minor + self.tax_taken
            )
        tax = min(max(tax, 0), max(left.tax_minor - self.tax_taken, 0))
        room = invoice.due_minor + invoice.paid_minor - invoice.refunded_minor - self.net_taken - self.tax_taken
        if net + tax > room:
            room = max(room, 0)
            tax = nearest(room * tax, net + tax)
            net = room - tax
        self.net_taken += net
        self.tax_taken += tax
        return net, tax


def of_period(
    session: Session,
    subscription: Subscription,
    number: int,
    first_unused: date,
    *,
    but_for: Collection[tuple[ChargeKind, str]] = (),
    without: Collection[int] = (),
) -> list[Credit]:
    """The unused share of what was charged for days of the period from one on (settled point 38), never more than is
    left of it. What was credited once is credited to its end. ``without``: these invoices.
    """
    statement = select(SubscriptionCharge).where(
        SubscriptionCharge.subscription_id == subscription.id,
        SubscriptionCharge.period_number == number,
        SubscriptionCharge.last_day >= first_unused,
        SubscriptionCharge.net_minor > 0,
        SubscriptionCharge.credited_minor == 0,
        SubscriptionCharge.invoice_id.not_in(without),
    )
    rooms: dict[int, _Room | None] = {}
    found = []
    for charge in session.scalars(statement.order_by(SubscriptionCharge.id)):
        if (charge.kind, charge.code) in but_for:
            continue
        if charge.invoice_id not in rooms:
            invoice = session.get_one(Invoice, charge.invoice_id, populate_existing=True)
            rooms[charge.invoice_id] = _room(session, subscription, invoice)
        room = rooms[charge.invoice_id]
        if room is None:
            continue
        days = Period(charge.first_day, charge.last_day)
        net = proration.unused(charge.net_minor, charge.credited_minor, proration.changed_on(days, first_unused))
        net, tax = room.take(net)
        if net:
            unused_days = Period(max(first_unused, days.start), days.end)
            found.append(Credit(charge.id, charge.invoice_id, charge.kind, charge.code, unused_days, net, tax))
    return found


def by_invoice(given: Iterable[Credit]) -> dict[int, list[Credit]]:
    found: dict[int, list[Credit]] = defaultdict(list)
    for one in given:
        found[one.invoice_id].append(one)
    return found


def divide(given: Iterable[Credit], gross_minor: int) -> tuple[list[Credit], list[Credit]]:
    """So much of these, tax included, from the first on; and what is left of them. Both add up to the minor unit."""
    taken: list[Credit] = []
    rest: list[Credit] = []
    for one in given:
        minor = min(gross_minor, one.gross_minor)
        net, tax = split(minor, [minor * one.net_minor, minor * one.tax_minor], one.gross_minor)
        if minor:
            taken.append(replace(one, net_minor=net, tax_minor=tax))
        if minor < one.gross_minor:
            rest.append(replace(one, net_minor=one.net_minor - net, tax_minor=one.tax_minor - tax))
        gross_minor -= minor
    return taken, rest


def share(subscription: Subscription, given: Iterable[Credit]) -> Share:
    """Which part of their invoice these credits are."""
    theirs = list(given)
    net, tax = sum(one.net_minor for one in theirs), sum(one.tax_minor for one in theirs)
    return Share(LineType.SERVICE, subscription.tax_rate, net, tax)


def kept_minor(session: Session, given: Iterable[Credit]) -> int:
    """How much of these becomes the customer's credit: what was paid in money, in minor units."""
    kept = 0
    for invoice_id, credited in by_invoice(given).items():
        invoice = session.get_one(Invoice, invoice_id)
        off_paid = max(sum(one.gross_minor for one in credited) - invoice.due_minor, 0)
        prepaid = sum(one.amount_minor for one in returning.returnable(session, invoice_id))
        kept += max(off_paid - prepaid, 0)
    return kept


def give(
    session: Session, actor: Actor, subscription: Subscription, given: Iterable[Credit], *, today: date, now: datetime
) -> list[str]:
    """Credit them; the numbers of the credit notes. What was credited otherwise meanwhile is not credited twice."""
    numbers: list[str] = []
    for invoice_id, credited in by_invoice(given).items():
        invoice = invoices.for_change(session, actor, invoice_id)
        room = _room(session, subscription, invoice)
        if room is None:
            continue
        for one in credited:
            charge = session.get_one(SubscriptionCharge, one.charge_id)
            net = min(one.net_minor, charge.net_minor - charge.credited_minor)
            net, _ = room.take(net, one.tax_minor if net == one.net_minor else None)
            charge.credited_minor += net
        if not room.net_taken + room.tax_taken:
            continue
        words = writing(invoice.language)
        span = Period(min(one.days.start for one in credited), max(one.days.end for one in credited))
        reason = words.gettext("Not used") + f": {days_words(span, words)}"
        part = Share(room.whole.type, room.whole.rate, room.net_taken, room.tax_taken)
        numbers += crediting.credit(session, actor, invoice, [part], reason=reason, today=today, now=now)
    return numbers


def words(one: Credit, language: str) -> str:
    """Such as “Not used: additional seats, Mar 11 – 31, 2026”."""
    written = writing(language)
    named = {ChargeKind.SEATS: written.gettext("additional seats"), ChargeKind.ADD_ON: one.code}.get(one.kind, "")
    told = ", ".join(filter(None, (named, days_words(one.days, written))))
    return written.gettext("Not used") + f": {told}"


def _room(session: Session, subscription: Subscription, invoice: Invoice) -> _Room | None:
    """None where nothing of it is owed any more."""
    if invoice.state not in _OWED:
        return None
    left = credit_notes.left(session, invoice)
    whole = invoices.totals_of(session, invoice).shares
    place = _place(whole, subscription.tax_rate)
    return None if place is None or whole[place].net_minor <= 0 else _Room(invoice, whole[place], left[place])


def _place(shares: Sequence[Share], rate: Decimal) -> int | None:
    """Where the days of subscriptions are among the parts of an invoice: services at the subscription's tax rate."""
    for place, share in enumerate(shares):
        if share.type == LineType.SERVICE and share.rate == rate:
            return place
    return None
