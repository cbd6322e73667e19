"""What the demo company invoiced, and how it was paid: mostly in time, some of it late, in part, too much or never.

A month's reports are invoiced together a few mornings after its end, and each invoice's story is told to its end
before the next month's begin. A month whose invoices are there is left as it is.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import Period, add_months, first_of_month, start_of_day
from billing_core.demo import paid_online
from billing_core.demo.billing import Books
from billing_core.identity import Actor
from billing_core.invoices import after_sending, credit_notes, from_reports, queries, service
from billing_core.invoices.models import Invoice, InvoicedReport
from billing_core.payments import received, refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from billing_core.reports.models import BillingReport

# Services to customers at home carry the Dutch rate; across a border the customer accounts for the tax.
_HOME, _HOME_RATE = "NL", Decimal(21)
_ISSUED_AFTER = timedelta(days=5, hours=9)
_GIVEN_UP_AFTER_DAYS = 270


@dataclass(frozen=True, slots=True)
class Calendar:
    """``today`` ends every story: what would happen later has not happened yet."""

    zone: str
    today: date

    def morning(self, day: date) -> datetime:
        return start_of_day(self.zone, day) + timedelta(hours=9, minutes=30)


def months(books: Books) -> Iterator[date]:
    """Every closed month, the first one first: invoices are numbered in this order."""
    month = books.first_day
    while month < first_of_month(books.today):
        yield month
        month = add_months(month, 1)


def invoice_month(session: Session, actor: Actor, month: date, books: Books, *, seed: int) -> None:
    """Invoice the month's reports, and let their customers pay, as far as it has come by today.

    Those who pay online are left to ``paid_online``.
    """
    issued_on = (books.month_after(month) + _ISSUED_AFTER).date()
    invoiced = (
        select(Invoice.id)
        .join(InvoicedReport, InvoicedReport.invoice_id == Invoice.id)
        .where(Period.month_of(issued_on).contains(Invoice.issued_on))
        .limit(1)
    )
    if issued_on > books.today or session.scalar(invoiced) is not None:
        return
    calendar = Calendar(books.zone, books.today)
    last_closed = add_months(first_of_month(books.today), -1)
    reports = _to_invoice(session, month)
    online = paid_online.online(session, month, books.today)
    if month == last_closed:
        # The work of this month is not done: every fourth report waits.
        reports = [report for place, report in enumerate(reports) if place % 4 != 3]
    for at_home in (True, False):
        report_ids = [report_id for report_id, country in reports if (country == _HOME) == at_home]
        if not report_ids:
            continue
        now = calendar.morning(issued_on)
        rate = _HOME_RATE if at_home else Decimal(0)
        drafts = from_reports.draft_many(session, actor, report_ids, tax_rate=rate, now=now, today=issued_on)
        kept_back = drafts[:2] if month == last_closed else []
        sent = [draft for draft in drafts if draft not in kept_back]
        if sent:
            service.send_many(session, actor, sent, now=now)
        for invoice_id in sent:
            invoice = queries.for_change(session, actor, invoice_id)
            chance = random.Random(f"{seed}-{month}-{invoice.customer_id}")  # noqa: S311
            _look_at(session, invoice, calendar, chance)
            if invoice.customer_id not in online:
                _tell(session, actor, invoice, calendar, chance)


def _to_invoice(session: Session, month: date) -> list[tuple[int, str]]:
    """(report id, the customer's country) of the month's reports that come to something."""
    period = Period.month_of(month)
    rows = session.execute(
        select(BillingReport.id, Customer.country)
        .join(Customer, Customer.id == BillingReport.customer_id)
        .where(
            BillingReport.period_start == period.start,
            BillingReport.period_end == period.end,
            BillingReport.superseded_at.is_(None),
            BillingReport.total_minor > 0,
        )
        .order_by(BillingReport.id)
    )
    return [(report_id, country) for report_id, country in rows]


def _look_at(session: Session, invoice: Invoice, calendar: Calendar, chance: random.Random) -> None:
    """Most customers open their invoice within some days."""
    looked_at = invoice.issued_on + timedelta(days=chance.randrange(4))
    if chance.random() < 0.8 and looked_at <= calendar.today:
        after_sending.mark_viewed(session, invoice.token, now=calendar.morning(looked_at) + timedelta(minutes=17))


def _tell(session: Session, actor: Actor, invoice: Invoice, calendar: Calendar, chance: random.Random) -> None:
    """One invoice's story: most are paid some days before or after they are due."""
    paid_on = invoice.due_on + timedelta(days=chance.choice((-9, -4, -2, 0, 0, 1, 3, 6, 11, 24)))
    paid_on = max(paid_on, invoice.issued_on)
    roll = chance.random()
    if roll < 0.035:
        _never_paid(session, actor, invoice, calendar)
        return
    if roll < 0.12:
        _credit_a_part(session, actor, invoice, calendar)
    if paid_on > calendar.today:
        return
    amount = invoice.due_minor
    if roll < 0.17:
        # The rest follows after a call.
        rest_on = paid_on + timedelta(days=23)
        _pay(session, actor, invoice, calendar, paid_on, amount // 2, chance)
        if rest_on <= calendar.today:
            _pay(session, actor, invoice, calendar, rest_on, invoice.due_minor, chance)
        return
    if roll < 0.21:
        # Paid by hand, and rounded up to full tens.
        amount = -(-amount // 1000) * 1000
    _pay(session, actor, invoice, calendar, paid_on, amount, chance)
    back_on = paid_on + timedelta(days=12)
    if 0.21 <= roll < 0.225 and back_on <= calendar.today:
        money_back = MoneyBack(
            "Two shipments billed twice", PaymentMethod.BANK_TRANSFER, back_on, invoice.paid_minor // 10
        )
        refunds.refund(session, actor, invoice.id, wanted=money_back, today=back_on, now=calendar.morning(back_on))


def _pay(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    calendar: Calendar,
    paid_on: date,
    amount: int,
    chance: random.Random,
) -> None:
    method = chance.choices(
        (PaymentMethod.BANK_TRANSFER, PaymentMethod.CARD, PaymentMethod.CHEQUE), weights=(85, 12, 3)
    )[0]
    # A card payment of 1.4 % and 25 of the smallest coin.
    fee = amount * 14 // 1000 + 25 if method is PaymentMethod.CARD else 0
    money = Received(invoice.currency, amount, method, paid_on, reference=invoice.number or "", fee_minor=fee)
    now = calendar.morning(paid_on)
    received.record_for(session, actor, invoice.id, received=money, today=paid_on, now=now)


def _credit_a_part(session: Session, actor: Actor, invoice: Invoice, calendar: Calendar) -> None:
    day = min(invoice.issued_on + timedelta(days=6), calendar.today)
    credit_notes.issue(
        session,
        actor,
        invoice.id,
        amount_minor=invoice.due_minor // 8 or invoice.due_minor,
        reason="Parcels lost on the way",
        issued_on=day,
        today=day,
        now=calendar.morning(day),
    )


def _never_paid(session: Session, actor: Actor, invoice: Invoice, calendar: Calendar) -> None:
    """Nobody pays; after long enough we stop waiting."""
    given_up_on = invoice.due_on + timedelta(days=_GIVEN_UP_AFTER_DAYS)
    if given_up_on <= calendar.today:
        now = calendar.morning(given_up_on)
        write_offs.write_off(session, actor, invoice.id, reason="No answer to any reminder", today=given_up_on, now=now)
