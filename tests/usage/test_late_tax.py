"""Tax on usage that came late or was taken back: that of the lines which billed its period."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes, queries, service
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import CreditNote, CreditNoteLine, InvoiceState, LineType
from billing_core.metering import ingestion, meters
from billing_core.metering.models import Aggregation
from billing_core.money import Money
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, document, late
from billing_core.usage.late import ItemState
from tests.plans.agreed import NOW, terms
from tests.usage.late_items import LATER, NOVEMBER, OCTOBER, TODAY, USD, acme, bill, shown, take_back, tell, wrong_in

__all__ = ["acme"]
SUPPORT = DraftLine("Support", Decimal(1), Decimal(2))


def edit(session, invoice_id, **changes):
    invoice = queries.one(session, SYSTEM, invoice_id)
    content = queries.content(session, invoice)
    lines = changes.pop("lines", content.lines) + changes.pop("more", ())
    changed = replace(content, lines=lines, **changes)
    service.edit(session, SYSTEM, invoice_id, changed, drawn_from=invoice.version, now=LATER)


def sent(session, customer_id, *, tax_rate, more=(SUPPORT,), **changes):
    """October with lines of other rates: of the calls two are included, and one more costs 1.00."""
    made = bill(session, customer_id, tax_rate=Decimal(tax_rate))
    edit(session, made.invoice_id, more=more, **changes)
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    return made.invoice_id


def settle(session, **options):
    ids = [one.id for one in late.items(session, SYSTEM, open_only=True)]
    return late.settle(session, SYSTEM, ids, now=LATER, today=TODAY, **options)


def credited(session, invoice_id):
    """Of each credit note on the invoice: its total, and by line type and rate what it takes off, and of the tax."""
    notes = session.execute(
        select(CreditNote.total_minor, CreditNoteLine)
        .join(CreditNoteLine, CreditNoteLine.credit_note_id == CreditNote.id)
        .where(CreditNote.invoice_id == invoice_id)
        .order_by(CreditNoteLine.id)
    )
    return [(total, line.type.value, line.tax_rate, line.amount_minor, line.tax_minor) for total, line in notes]


def pay(session, invoice_id, minor):
    money = Received(USD, minor, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, SYSTEM, invoice_id, received=money, today=TODAY, now=LATER)


def test_withdrawn_usage_is_credited_at_the_rate_of_its_own_line(session, acme):
    tell(session, *"abcd")
    invoice_id = sent(session, acme, tax_rate=19)
    # 2.00 of usage at 19 % and 2.00 of support at 0 %.
    assert queries.one(session, SYSTEM, invoice_id).total_minor == 438
    take_back(session, acme, "a")
    settle(session)
    assert credited(session, invoice_id) == [(119, "service", 19, 100, 19)]
    take_back(session, acme, "b")
    settle(session)
    assert credited(session, invoice_id) == [(119, "service", 19, 100, 19)] * 2
    assert wrong_in(session) == []


def test_of_a_paid_invoice_it_is_given_back_at_that_rate(session, acme):
    """Of 4.38 there are 4.00 paid: 0.38 are taken off what is due, and 2.00 of the rest are kept as credit."""
    tell(session, *"abcd")
    invoice_id = sent(session, acme, tax_rate=19)
    pay(session, invoice_id, 400)
    take_back(session, acme, "a", "b")
    settle(session)
    notes = credited(session, invoice_id)
    assert [(total, kind, rate) for total, kind, rate, _, _ in notes] == [(38, "service", 19), (200, "service", 19)]
    assert [(net, tax) for *_, net, tax in notes] == [(32, 6), (168, 32)]
    assert queries.one(session, SYSTEM, invoice_id).state is InvoiceState.PAID


def test_no_more_is_credited_than_a_voucher_at_the_same_rate_has_left(session, acme):
    """2.00 of usage and 5.00 of support less a voucher of 2.00 for services: nothing is left of what usage came to."""
    tell(session, *"abcd")
    support = replace(SUPPORT, unit_price=Decimal(5), type=LineType.FEE)
    voucher = replace(SUPPORT, description="Voucher", quantity=Decimal(-1), tax_rate=Decimal(19))
    invoice_id = sent(session, acme, tax_rate=19, more=(support, voucher))
    assert queries.one(session, SYSTEM, invoice_id).total_minor == 500
    take_back(session, acme, "a")
    settle(session)
    assert credited(session, invoice_id) == [(100, "fee", 0, 100, 0)]
    assert wrong_in(session) == []


def test_a_discount_on_the_whole_invoice_is_taken_off_the_credit_too(session, acme):
    tell(session, *"abcd")
    # 25 % off: 1.50 of usage with 0.285, rounded to 0.29, and 1.50 of support.
    invoice_id = sent(session, acme, tax_rate=19, discount_percent=Decimal(25))
    assert queries.one(session, SYSTEM, invoice_id).total_minor == 329
    take_back(session, acme, "a", "b")
    settle(session)
    assert credited(session, invoice_id) == [(179, "service", 19, 150, 29)]


def test_what_a_later_invoice_billed_is_credited_to_that_and_not_to_what_else_the_first_one_bills(session, acme):
    tell(session, *"abc")
    first = sent(session, acme, tax_rate=19)
    tell(session, "d")
    (second,) = settle(session, tax_rate=Decimal(19))
    service.send(session, SYSTEM, second, now=LATER)
    take_back(session, acme, "d", "c")
    settle(session)
    # 1.00 of each with its tax; the 2.00 of support stay owed.
    assert credited(session, first) == [(119, "service", 19, 100, 19)]
    assert credited(session, second) == [(119, "service", 19, 100, 19)]


def test_what_was_credited_before_is_not_taken_off_the_same_line_again(session, acme):
    tell(session, *"abc")
    first = sent(session, acme, tax_rate=19, more=(replace(SUPPORT, tax_rate=Decimal(19)),))
    take_back(session, acme, "a")
    settle(session)
    tell(session, "d")
    (second,) = settle(session, tax_rate=Decimal(19))
    service.send(session, SYSTEM, second, now=LATER)
    take_back(session, acme, "d")
    settle(session)
    assert credited(session, first) == [(119, "service", 19, 100, 19)]
    assert credited(session, second) == [(119, "service", 19, 100, 19)]


def test_where_the_line_was_credited_by_hand_the_rest_is_taken_off_the_others(session, acme):
    tell(session, *"abcd")
    invoice_id = sent(session, acme, tax_rate=19)
    by_hand = {"reason": "Goodwill", "issued_on": TODAY, "today": TODAY, "now": LATER}
    credit_notes.issue(session, SYSTEM, invoice_id, amount_minor=219, **by_hand)
    take_back(session, acme, "a", "b")
    settle(session)
    # Half of everything is left: 1.00 of usage with 0.19, and 1.00 of support.
    assert credited(session, invoice_id)[2:] == [(219, "service", 19, 100, 19), (219, "service", 0, 100, 0)]


def test_it_stays_open_where_not_so_much_is_left(session, acme):
    tell(session, *"abcd")
    invoice_id = sent(session, acme, tax_rate=19, more=())
    by_hand = {"reason": "Goodwill", "issued_on": TODAY, "today": TODAY, "now": LATER}
    credit_notes.issue(session, SYSTEM, invoice_id, amount_minor=200, **by_hand)
    take_back(session, acme, "a")
    settle(session)
    assert shown(session) == [("a", Money(-100, USD), ItemState.OPEN)]


def lines_at(session, invoice_id):
    return [(line.amount_minor, line.tax_rate) for line in queries.lines(session, invoice_id)]


def october_at(session, customer_id, tax_rate):
    made = bill(session, customer_id, tax_rate=Decimal(tax_rate))
    service.send(session, SYSTEM, made.invoice_id, now=LATER)
    return made.invoice_id


def test_late_usage_is_taxed_as_its_period_was_and_not_as_the_invoice_that_it_is_on(session, acme):
    tell(session, *"abc")
    october_at(session, acme, 19)
    tell(session, "d")
    tell(session, "n1", "n2", "n3", month=11)
    proposed = billing.propose(session, SYSTEM, acme, NOVEMBER, now=LATER).totals(Decimal(7))
    november = bill(session, acme, NOVEMBER, tax_rate=Decimal(7))
    assert lines_at(session, november.invoice_id) == [(100, 7), (100, 19)]
    invoice = queries.one(session, SYSTEM, november.invoice_id)
    assert proposed.total_minor == invoice.total_minor == 100 + 7 + 100 + 19


def test_so_it_is_on_a_document_of_its_own(session, acme):
    tell(session, *"abc")
    october_at(session, acme, 19)
    tell(session, "d")
    (own,) = settle(session)
    assert lines_at(session, own) == [(100, 19)]


def test_what_came_late_and_is_withdrawn_comes_to_nothing_with_its_tax(session, acme):
    tell(session, *"abc")
    october = october_at(session, acme, 19)
    tell(session, "d")
    november = bill(session, acme, NOVEMBER, tax_rate=Decimal(7))
    (late_invoice,) = november.invoice_ids
    service.send(session, SYSTEM, late_invoice, now=LATER)
    take_back(session, acme, "d")
    settle(session)
    assert queries.one(session, SYSTEM, late_invoice).total_minor == 119
    # The line of the period is the first to be credited.
    assert credited(session, october) == [(119, "service", 19, 100, 19)]


def test_each_line_has_its_own_rate_also_where_a_person_changed_it(session, acme):
    tell(session, *"abc")
    made = bill(session, acme, tax_rate=Decimal(19))
    content = queries.content(session, queries.one(session, SYSTEM, made.invoice_id))
    edit(session, made.invoice_id, lines=tuple(replace(line, tax_rate=Decimal(5)) for line in content.lines))
    tell(session, "d")
    (own,) = settle(session, tax_rate=Decimal(7))
    assert lines_at(session, own) == [(100, 5)]


def test_where_the_period_has_no_invoice_it_has_the_rate_of_the_run_and_then_that(session, acme):
    tell(session, *"ab")
    assert bill(session, acme, tax_rate=Decimal(19)).invoice_id is None
    tell(session, "c")
    (first,) = settle(session, tax_rate=Decimal(7))
    assert lines_at(session, first) == [(100, 7)]
    tell(session, "d")
    november = bill(session, acme, NOVEMBER, tax_rate=Decimal(5))
    assert lines_at(session, november.invoice_ids[0]) == [(100, 7)]


def test_an_unused_meter_is_taxed_as_its_period_was(session, acme):
    """Its line is on no invoice."""
    meters.create(session, SYSTEM, code="storage", name="Storage", aggregation=Aggregation.SUM, unit="GB", now=NOW)
    charged = {Metered("storage"): Price(USD, Scheme.PER_UNIT, (Tier(None, Decimal(3)),))}
    plans.create(session, SYSTEM, code="both", name="Both", agreed=terms(2, "1"), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "both", valid_from=OCTOBER.start, now=NOW)
    tell(session, *"abc")
    october_at(session, acme, 19)
    given = {"id": "s", "organization_id": document.ID, "time": "2023-10-05T12:00:00Z", "meter": "storage"}
    ingestion.record(session, SYSTEM, [given | {"quantity": Decimal(2)}], now=LATER, atomic=True)
    (own,) = settle(session, tax_rate=Decimal(7))
    assert lines_at(session, own) == [(600, 19)]
