"""An invoice that costs less for those who pay early, and the ways to do that.

By hand: 100.00 at 19 % and 50.00 at 7 % are 119.00 and 53.50, together 172.50. 2 % of that is 3.45, of which 2.38 is at
19 % (2.00 and 0.38) and 1.07 at 7 % (1.00 and 0.07). 169.05 is to be paid.
"""

from datetime import date, timedelta

from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import GatewayNames, Received
from tests.invoices.company import NOW, TODAY, a_customer, a_line, an_invoice

TERMS = "14 Tage 2 % Skonto, 30 Tage netto"
LAST = TODAY + timedelta(days=14)


def two_rates(session) -> Invoice:
    lines = (a_line("Work", "1", "100", "19"), a_line("Book", "1", "50", "7"))
    return an_invoice(session, a_customer(session, language="de"), *lines, payment_terms=TERMS, language="de")


def money(amount_minor: int, on: date) -> Received:
    return Received("USD", amount_minor, PaymentMethod.BANK_TRANSFER, on)


def by_hand(session, invoice, amount_minor, on):
    paid = {invoice.id: amount_minor}
    received.record(
        session,
        SYSTEM,
        customer_id=invoice.customer_id,
        received=money(amount_minor, on),
        allocations=paid,
        today=on,
        now=NOW,
    )


def for_one(session, invoice, amount_minor, on):
    received.record_for(session, SYSTEM, invoice.id, received=money(amount_minor, on), today=on, now=NOW)


def online(session, invoice, amount_minor, on):
    names = GatewayNames(Mode.SANDBOX, "pay_1")
    locked = queries.for_change(session, SYSTEM, invoice.id)
    received.record_collected(
        session, SYSTEM, locked, received=money(amount_minor, on), names=names, pays=True, today=on, now=NOW
    )


def from_credit(session, invoice, amount_minor, on):
    """Of 200.00 that the customer had before."""
    kept = {"customer_id": invoice.customer_id, "received": money(200_00, TODAY), "allocations": {}}
    received.record(session, SYSTEM, **kept, today=on, now=NOW)
    credit.apply(session, SYSTEM, invoice.id, amount_minor=amount_minor, today=on, now=NOW)


def asked_for(session, invoice, amount_minor, on):
    """By a link; the bank took two days longer."""
    names = GatewayNames(Mode.SANDBOX, "pay_1")
    locked, late = queries.for_change(session, SYSTEM, invoice.id), on + timedelta(days=2)
    came = {"received": money(amount_minor, late), "pays": True, "asked": True, "today": late}
    received.record_collected(session, SYSTEM, locked, names=names, **came, now=NOW)
