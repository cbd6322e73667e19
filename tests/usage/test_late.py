"""Late and withdrawn usage, by hand: each item's worth in the order of arrival, and where it is billed or credited."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.businesses.queries import default_business
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, queries, service
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.metering.models import LateKind
from billing_core.money import Money
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from billing_core.usage.billed import explaining, lines
from billing_core.usage.late import ItemState
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.late_items import (
    LATER,
    NOVEMBER,
    OCTOBER,
    ONE_MORE,
    TODAY,
    USD,
    acme,
    bill,
    billed,
    drafted,
    shown,
    take_back,
    tell,
    wrong_in,
)
from tests.usage.october import an_organization

__all__ = ["acme", "billed"]


def test_who_has_left_is_billed_with_all_for_what_came_late(session, acme, billed):
    plans.take_off(session, SYSTEM, acme, valid_from=NOVEMBER.start, now=LATER)
    assert billing.customers_to_bill(session, SYSTEM, NOVEMBER) == []
    tell(session, "d", "e")
    assert billing.customers_to_bill(session, SYSTEM, NOVEMBER) == [acme]
    # For a month before there is nothing: what came late goes onto a later invoice.
    assert billing.customers_to_bill(session, SYSTEM, Period(date(2023, 9, 1), date(2023, 9, 30))) == []
    made = bill(session, acme, NOVEMBER)
    (own,) = made.late_invoice_ids
    assert (made.invoice_id, queries.one(session, SYSTEM, own).total) == (None, Money(200, USD))
    assert billing.customers_to_bill(session, SYSTEM, Period(date(2023, 12, 1), date(2023, 12, 31))) == []


def test_items_are_worth_what_each_adds_in_the_order_in_which_they_came(session, acme, billed):
    tell(session, "d")
    take_back(session, acme, "d", "a", "b")
    tell(session, "e", "f")
    take_back(session, acme, "c")
    # 3 → 4 → 3 → 2 → 1 → 2 → 3 → 2, of which two are included.
    assert shown(session) == [
        ("d", Money(100, USD), ItemState.OPEN),
        ("d", Money(-100, USD), ItemState.OPEN),
        ("a", Money(-100, USD), ItemState.OPEN),
        ("b", Money(0, USD), ItemState.OPEN),
        ("e", Money(0, USD), ItemState.OPEN),
        ("f", Money(100, USD), ItemState.OPEN),
        ("c", Money(-100, USD), ItemState.OPEN),
    ]
    first = late.items(session, SYSTEM, limit=1)[0]
    assert (first.kind, first.meter, first.quantity, first.first_day, first.last_day, first.user) == (
        LateKind.ARRIVED,
        "api_calls",
        1,
        OCTOBER.start,
        OCTOBER.end,
        "d",
    )
    assert [one.quantity for one in late.items(session, SYSTEM, after_id=first.id, limit=2)] == [-1, -1]
    assert wrong_in(session) == []


def test_late_usage_goes_onto_the_next_invoice_as_a_line_of_its_own(session, acme, billed):
    tell(session, "d", "e")
    tell(session, "n1", "n2", "n3", month=11)
    made = bill(session, acme, NOVEMBER)
    assert drafted(session, made.invoice_id) == [
        ("API calls, Nov 1 – 30, 2023: used 3, included 2, 1 × 1.00 USD", 100),
        (
            "Late usage: API calls, Oct 1 – 31, 2023: +2"
            " (used 5, included 2, 3 × 1.00 USD: 3.00 USD instead of 1.00 USD)",
            200,
        ),
    ]
    assert shown(session) == [(name, Money(100, USD), ItemState.INVOICED) for name in "de"]
    assert {one.invoice_id for one in late.items(session, SYSTEM)} == {made.invoice_id}
    assert queries.one(session, SYSTEM, billed.invoice_id).total_minor == 100
    (line,) = [one for one in queries.lines(session, made.invoice_id) if one.description.startswith("Late")]
    assert [row.id for row in explaining.events(session, SYSTEM, line.usage_line_id)] == ["d", "e"]
    assert [(day.day, day.calls) for day in explaining.days(session, SYSTEM, line.usage_line_id)] == [
        (date(2023, 10, 5), 2)
    ]
    assert lines.one(session, SYSTEM, line.usage_line_id).quantity == 2
    assert wrong_in(session) == []


def test_late_usage_alone_makes_the_next_invoice(session, acme, billed):
    tell(session, "d")
    made = bill(session, acme, NOVEMBER)
    assert made.invoice_id is None
    (item,) = late.items(session, SYSTEM)
    assert drafted(session, item.invoice_id) == [(ONE_MORE, 100)]
    assert wrong_in(session) == []


@pytest.mark.parametrize("on_its_own", [True, False])
def test_one_cent_more_is_billed_and_one_cent_less_is_credited(session, on_its_own):
    def settle():
        late.settle(session, SYSTEM, [late.items(session, SYSTEM, open_only=True)[0].id], now=LATER, today=TODAY)

    customer_id = an_organization(session)
    plans.put_on(
        session, SYSTEM, customer_id, a_plan(session, agreed=terms(2, "0.01")), valid_from=OCTOBER.start, now=NOW
    )
    tell(session, *"abc")
    service.send(session, SYSTEM, bill(session, customer_id).invoice_id, now=LATER)
    tell(session, "d")
    settle() if on_its_own else bill(session, customer_id, NOVEMBER)
    assert shown(session) == [("d", Money(1, USD), ItemState.INVOICED)]
    take_back(session, customer_id, "a")
    settle()
    assert shown(session)[-1] == ("a", Money(-1, USD), ItemState.CREDITED)
    assert wrong_in(session) == []


def test_it_is_open_again_once_the_invoice_that_it_is_on_is_cancelled(session, acme, billed):
    tell(session, "d")
    tell(session, "n1", "n2", "n3", month=11)
    made = bill(session, acme, NOVEMBER)
    service.discard(session, SYSTEM, made.invoice_id, now=LATER)
    assert shown(session, open_only=True) == [("d", Money(100, USD), ItemState.OPEN)]
    again = bill(session, acme, NOVEMBER)
    assert [minor for _, minor in drafted(session, again.invoice_id)] == [100, 100]
    assert shown(session) == [("d", Money(100, USD), ItemState.INVOICED)]
    assert wrong_in(session) == []


def test_what_cancels_out_is_closed(session, acme):
    tell(session, "a")
    bill(session, acme)
    tell(session, "b")
    bill(session, acme, NOVEMBER)
    assert shown(session) == [("b", Money(0, USD), ItemState.NOTHING)]
    assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert wrong_in(session) == []


def test_what_was_withdrawn_is_credited_to_the_invoice_that_billed_it(session, acme, billed):
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, billed.invoice_id)
    words = "Late usage: API calls, Oct 1 – 31, 2023: -1 (used 2, included 2: 0.00 USD instead of 1.00 USD)"
    assert (note.total_minor, note.reason) == (100, words)
    assert shown(session) == [("a", Money(-100, USD), ItemState.CREDITED)]
    assert late.items(session, SYSTEM)[0].reason == note.number
    # Credited whole, it stays the bill of its period.
    assert not bill(session, acme).created
    assert wrong_in(session) == []


def test_of_a_paid_invoice_the_credit_is_kept_for_later_ones(session, acme):
    """With tax: 2.00 at 20 % are 2.40, of which half is credited."""
    tell(session, *"abcd")
    made = bill(session, acme, tax_rate=Decimal(20))
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    money = Received(USD, 240, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, SYSTEM, made.invoice_id, received=money, today=TODAY, now=LATER)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, made.invoice_id)
    assert (note.subtotal_minor, note.tax_minor, note.refund_minor) == (100, 20, 120)
    assert credit.balances(session, SYSTEM, acme) == [(default_business(session).id, Money(120, USD))]
    assert queries.one(session, SYSTEM, made.invoice_id).state is InvoiceState.PAID
    assert wrong_in(session) == []


def test_of_an_invoice_with_a_discount_so_much_less_is_credited(session, acme):
    tell(session, *"abcdef")
    made = bill(session, acme)
    invoice = queries.one(session, SYSTEM, made.invoice_id)
    content = queries.content(session, invoice)
    known = {name: getattr(content, name) for name in content.__dataclass_fields__}
    less = content.__class__(**known | {"discount_percent": Decimal(25)})
    service.edit(session, SYSTEM, invoice.id, less, drawn_from=invoice.version, now=LATER)
    service.send(session, SYSTEM, invoice.id, now=LATER)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    (note,) = credit_notes.of_invoice(session, SYSTEM, made.invoice_id)
    assert note.total_minor == 75


def test_what_is_withdrawn_from_a_draft_waits_until_it_is_sent(session, acme):
    tell(session, *"abc")
    made = bill(session, acme)
    take_back(session, acme, "a")
    bill(session, acme, NOVEMBER)
    assert shown(session) == [("a", Money(-100, USD), ItemState.OPEN)]
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    assert late.settle(session, SYSTEM, [late.items(session, SYSTEM)[0].id], now=LATER, today=TODAY) == []
    assert shown(session) == [("a", Money(-100, USD), ItemState.CREDITED)]


def test_more_is_credited_than_the_first_invoice_billed_where_a_later_one_billed_the_rest(session, acme, billed):
    tell(session, "d")
    on_own = late.settle(session, SYSTEM, [late.items(session, SYSTEM)[0].id], now=LATER, today=TODAY)
    service.send(session, SYSTEM, on_own[0], now=LATER)
    take_back(session, acme, "d", "a")
    bill(session, acme, NOVEMBER)
    notes = session.execute(select(CreditNote.invoice_id, CreditNote.total_minor)).all()
    assert [tuple(note) for note in notes] == [(billed.invoice_id, 100), (on_own[0], 100)]
    assert shown(session, open_only=True) == []
    assert wrong_in(session) == []
