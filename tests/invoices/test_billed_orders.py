"""Each service of an order stands on one invoice, unless an admin says why it stands on another one as well.

HANDLING costs 2.00 an order and PICKING 0.50 an item: an order of 4 items is 4.00.
"""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.commands import verify
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, from_reports, queries, service
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.billed_orders.keeping import AlreadyBilled, BilledBefore
from billing_core.invoices.from_reports import Grouping
from billing_core.orders.models import Order
from billing_core.payments import received, refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from tests.at_once import at_once
from tests.invoices.company import READER, a_line
from tests.reports.company import HANDLING, LATER, NOW, PICKING, a_customer, an_order, billed

TODAY = date(2026, 4, 2)
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
FIRST_HALF = Period(date(2026, 3, 1), date(2026, 3, 15))


def _invoiced(session, report, **options):
    return from_reports.draft_from_report(session, SYSTEM, report.id, now=NOW, today=TODAY, **options)


def _sent(session, report, **options):
    return service.send(session, SYSTEM, _invoiced(session, report, **options).id, now=NOW)


@pytest.fixture
def march(session):
    """Two orders of 4 items: 8.00."""
    customer = a_customer(session)
    an_order(session, customer, "ACME-1")
    an_order(session, customer, "ACME-2", on=date(2026, 3, 20))
    return billed(session, customer)


def test_an_order_that_moves_to_another_month_is_not_billed_there_again(session):
    customer = a_customer(session)
    moved = an_order(session, customer, "ACME-1", on=date(2026, 2, 27))
    first = _sent(session, billed(session, customer, FEBRUARY))
    an_order(session, customer, "ACME-2")
    session.get_one(Order, moved).order_date = date(2026, 3, 2)
    session.flush()
    report = billed(session, customer)

    with pytest.raises(AlreadyBilled) as refusal:
        _invoiced(session, report)
    assert str(refusal.value) == (
        f"Report {report.id}: Order ACME-1 is billed on invoice {first.number} already "
        "(2 charges of this report, 4.00 USD)"
    )


def test_a_period_that_overlaps_and_some_services_are_refused_too(session, march):
    """Handling of both orders is on the first invoice, everything of the first order in the half month."""
    first = _sent(session, billed(session, march.customer_id, service_ids=[HANDLING]))
    half = billed(session, march.customer_id, FIRST_HALF)

    assert billed_orders.before(session, [march.id, half.id]) == [
        BilledBefore(march.id, first.id, first.number, "ACME-1", 2, 400, "USD"),
        BilledBefore(half.id, first.id, first.number, "ACME-1", 1, 200, "USD"),
    ]
    for report in (march, half):
        with pytest.raises(AlreadyBilled, match=f"invoice {first.number} already"):
            _invoiced(session, report)
    picking = _invoiced(session, billed(session, march.customer_id, service_ids=[PICKING]))
    assert picking.total_minor == 400
    with pytest.raises(AlreadyBilled, match="1 more of the kind"):
        _invoiced(session, march)


def test_what_costs_nothing_is_not_billed_yet(session):
    customer = a_customer(session)
    an_order(session, customer, "ACME-1", items=0)
    an_order(session, customer, "ACME-2")
    _sent(session, billed(session, customer, service_ids=[PICKING]))

    assert billed_orders.before(session, [billed(session, customer).id])[0].charge_count == 1


def test_an_admin_bills_it_again_with_a_reason_that_is_audited(session, march):
    first = _sent(session, march)
    half = billed(session, march.customer_id, FIRST_HALF)
    with pytest.raises(Invalid, match="Say why"):
        _invoiced(session, half, again_reason="  ")
    with pytest.raises(Forbidden):
        from_reports.draft_from_report(session, READER, half.id, again_reason="Agreed", now=NOW, today=TODAY)

    again = _invoiced(session, half, again_reason="The first parcel was sent twice")

    assert again.total_minor == 400
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "invoice.bill_again")).one()
    assert (entry.subject_id, entry.after) == (
        str(again.id),
        {"reason": "The first parcel was sent twice", f"invoice {first.number}": 2},
    )
    assert _wrong(session) == []


def test_what_was_billed_again_still_is_once_the_first_invoice_is_cancelled(session, march):
    first = _sent(session, march)
    half = billed(session, march.customer_id, FIRST_HALF)
    again = _invoiced(session, half, again_reason="Agreed")
    after_sending.cancel(session, SYSTEM, first.id, now=NOW, today=TODAY)

    assert [(one.invoice_id, one.charge_count) for one in billed_orders.before(session, [march.id])] == [(again.id, 2)]
    with pytest.raises(AlreadyBilled, match=f"a draft \\(no. {again.id}\\)"):
        _invoiced(session, march)
    assert _wrong(session) == []


@pytest.mark.parametrize("way", ["discarded", "cancelled", "credited", "refunded"])
def test_an_invoice_that_stands_no_more_lets_its_orders_be_billed(session, march, way):
    draft = _invoiced(session, march)
    half = billed(session, march.customer_id, FIRST_HALF)
    assert billed_orders.before(session, [half.id])
    if way == "discarded":
        service.discard(session, SYSTEM, draft.id, now=NOW)
    else:
        _given_back(session, service.send(session, SYSTEM, draft.id, now=NOW), way)

    assert billed_orders.before(session, [march.id, half.id]) == []
    assert from_reports.earlier(session, [march.id]) == []
    assert _invoiced(session, march).total_minor == 800
    assert _wrong(session) == []


def _given_back(session, invoice, way):
    days = {"now": NOW, "today": TODAY}
    if way == "cancelled":
        after_sending.cancel(session, SYSTEM, invoice.id, **days)
    elif way == "credited":
        for amount in (300, 500):
            credit_notes.issue(
                session, SYSTEM, invoice.id, amount_minor=amount, reason="Wrong", issued_on=TODAY, **days
            )
    else:
        money = Received("USD", 800, PaymentMethod.BANK_TRANSFER, TODAY)
        paid = {"customer_id": invoice.customer_id, "received": money, "allocations": {invoice.id: 800}}
        received.record(session, SYSTEM, **paid, **days)
        refunds.refund(
            session, SYSTEM, invoice.id, wanted=MoneyBack("Wrong", PaymentMethod.BANK_TRANSFER, TODAY), **days
        )


@pytest.mark.parametrize("way", ["written off", "partly credited"])
def test_what_nobody_will_pay_was_billed_all_the_same(session, march, way):
    invoice = _sent(session, march)
    days = {"now": NOW, "today": TODAY}
    if way == "written off":
        write_offs.write_off(session, SYSTEM, invoice.id, reason="Bankrupt", **days)
    else:
        credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=799, reason="Late", issued_on=TODAY, **days)

    assert [one.invoice_id for one in from_reports.earlier(session, [march.id])] == [invoice.id]
    with pytest.raises(AlreadyBilled, match=f"invoice {invoice.number}"):
        _invoiced(session, billed(session, march.customer_id, FIRST_HALF))
    assert _wrong(session) == []


def test_a_service_that_is_taken_off_a_draft_can_be_billed_elsewhere(session, march):
    draft = _invoiced(session, march)
    content = queries.content(session, draft)
    picking = tuple(line for line in content.lines if line.service_id == PICKING)
    assert len(picking) == 1
    service.edit(session, SYSTEM, draft.id, replace(content, lines=picking), drawn_from=draft.version, now=NOW)

    handling = _invoiced(session, billed(session, march.customer_id, service_ids=[HANDLING]))
    assert handling.total_minor == 400
    session.expire_all()
    with pytest.raises(AlreadyBilled, match="Order ACME-1 is billed on a draft"):
        service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=NOW)


def test_a_draft_keeps_what_it_bills_though_an_admin_has_billed_that_again(session, march):
    """Taking a service off the first draft is what settles it: it was refused, since the second one bills the rest."""
    draft = _invoiced(session, march)
    half = _invoiced(session, billed(session, march.customer_id, FIRST_HALF), again_reason="Agreed")
    both = queries.content(session, draft)
    picking = replace(both, lines=tuple(line for line in both.lines if line.service_id == PICKING))

    def saved(content):
        session.expire_all()
        return service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=NOW)

    assert saved(picking).total_minor == 400
    assert [one.charge_count for one in billed_orders.before(session, [march.id])] == [2, 2]
    with pytest.raises(AlreadyBilled, match=f"a draft \\(no. {half.id}\\)"), session.begin_nested():
        saved(both)
    service.discard(session, SYSTEM, half.id, now=NOW)
    assert saved(both).total_minor == 800
    assert _wrong(session) == []


def test_a_copy_of_a_cancelled_invoice_bills_its_orders(session, march):
    """A copy of one that stands, or of which another copy bills them, would bill them a second time."""
    first = _sent(session, march)
    with pytest.raises(Conflict, match="There is nothing to copy: these lines bill orders or usage"):
        service.duplicate(session, SYSTEM, first.id, now=NOW, today=TODAY)
    after_sending.cancel(session, SYSTEM, first.id, now=NOW, today=TODAY)

    copy = service.duplicate(session, SYSTEM, first.id, now=NOW, today=TODAY)

    assert [one.id for one in from_reports.billed_reports(session, copy.id)] == [march.id]
    assert [one.invoice_id for one in from_reports.earlier(session, [march.id])] == [copy.id]
    for standing in (first, copy):
        with pytest.raises(Conflict, match="There is nothing to copy"):
            service.duplicate(session, SYSTEM, standing.id, now=NOW, today=TODAY)
    assert _wrong(session) == []


def test_a_copy_of_an_invoice_that_stands_leaves_out_its_orders_also_if_that_is_cancelled_later(session, march):
    """8.00 of orders and 5.00 of something else, 3.00 off the whole: the copy says 5.00, and 8.00 are billed once."""
    draft = _invoiced(session, march)
    content = queries.content(session, draft)
    more = replace(content, lines=(*content.lines, a_line("Advice", "1", "5", "0")), discount_minor=300)
    service.edit(session, SYSTEM, draft.id, more, drawn_from=draft.version, now=NOW)
    first = service.send(session, SYSTEM, draft.id, now=NOW)
    copy = service.duplicate(session, SYSTEM, first.id, now=NOW, today=TODAY)
    assert [(line.description, line.amount_minor) for line in queries.lines(session, copy.id)] == [("Advice", 500)]
    assert (first.total_minor, copy.total_minor) == (1000, 500)
    assert queries.events(session, copy.id)[0].data["left_out"] == len(content.lines)

    after_sending.cancel(session, SYSTEM, first.id, now=NOW, today=TODAY)
    assert _sent(session, march).total_minor == 800
    assert _wrong(session) == []


def test_a_copy_does_not_bill_a_report_of_which_there_is_a_newer_version(session, march):
    """A third order of 4.00 came after the invoice. A copy would bill 8.00, and the month is 12.00 by now."""
    first = _sent(session, march)
    after_sending.cancel(session, SYSTEM, first.id, now=NOW, today=TODAY)
    an_order(session, march.customer_id, "ACME-3", on=date(2026, 3, 25))
    newer = billed(session, march.customer_id, now=LATER)

    refusal = f"report {march.id} was replaced by report {newer.id}.* Invoice that one"
    with pytest.raises(Conflict, match=refusal):
        service.duplicate(session, SYSTEM, first.id, now=LATER, today=TODAY)
    assert _invoiced(session, newer).total_minor == 1200
    with pytest.raises(Conflict, match="these lines bill orders or usage, which are billed once"):
        service.duplicate(session, SYSTEM, first.id, now=LATER, today=TODAY)


def test_the_rest_of_an_invoice_is_copied_without_a_report_that_was_replaced_and_the_copy_says_so(session, march):
    draft = _invoiced(session, march)
    content = queries.content(session, draft)
    more = replace(content, lines=(*content.lines, a_line("Advice", "1", "5", "0")))
    service.edit(session, SYSTEM, draft.id, more, drawn_from=draft.version, now=NOW)
    first = service.send(session, SYSTEM, draft.id, now=NOW)
    after_sending.cancel(session, SYSTEM, first.id, now=NOW, today=TODAY)
    an_order(session, march.customer_id, "ACME-3", on=date(2026, 3, 25))
    between = billed(session, march.customer_id, now=LATER)
    an_order(session, march.customer_id, "ACME-4", on=date(2026, 3, 26))
    newest = billed(session, march.customer_id, now=LATER)
    assert between.id != newest.id

    copy = service.duplicate(session, SYSTEM, first.id, now=LATER, today=TODAY)

    assert [(line.description, line.amount_minor) for line in queries.lines(session, copy.id)] == [("Advice", 500)]
    told = queries.events(session, copy.id)[0].data
    assert (told["left_out"], told["newer_reports"]) == (len(content.lines), [newest.id])
    assert _wrong(session) == []


def test_an_order_whose_line_is_taken_off_a_draft_can_be_billed_elsewhere(session, march):
    """Its two charges, of handling and picking, are 4.00; the other order stays the draft's."""
    draft = _invoiced(session, march, by=Grouping.ORDER)
    content = queries.content(session, draft)
    assert len(content.lines) == 2
    second = replace(content, lines=content.lines[1:])
    service.edit(session, SYSTEM, draft.id, second, drawn_from=draft.version, now=NOW)
    assert _wrong(session) == []

    half = _sent(session, billed(session, march.customer_id, FIRST_HALF))
    assert half.total_minor == 400
    assert [
        (one.invoice_id, one.order_number, one.charge_count) for one in billed_orders.before(session, [march.id])
    ] == [
        (draft.id, "ACME-2", 2),
        (half.id, "ACME-1", 2),
    ]
    session.expire_all()
    with pytest.raises(AlreadyBilled, match=f"Order ACME-1 is billed on invoice {half.number}"), session.begin_nested():
        service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=NOW)
    assert _wrong(session) == []


def test_a_copy_of_what_is_left_of_a_draft_bills_the_orders_of_its_lines_alone(session, march):
    draft = _invoiced(session, march, by=Grouping.ORDER)
    content = queries.content(session, draft)
    service.edit(
        session, SYSTEM, draft.id, replace(content, lines=content.lines[1:]), drawn_from=draft.version, now=NOW
    )
    sent = service.send(session, SYSTEM, draft.id, now=NOW)
    after_sending.cancel(session, SYSTEM, sent.id, now=NOW, today=TODAY)
    copy = service.duplicate(session, SYSTEM, sent.id, now=NOW, today=TODAY)

    assert copy.total_minor == 400
    assert [(one.order_number, one.charge_count) for one in billed_orders.before(session, [march.id])] == [
        ("ACME-2", 2)
    ]


@pytest.mark.parametrize("by", [Grouping.ORDER, Grouping.TOTAL])
def test_lines_of_no_service_bill_all_of_them(session, march, by):
    _invoiced(session, march, by=by)
    with pytest.raises(AlreadyBilled):
        _invoiced(session, billed(session, march.customer_id, service_ids=[HANDLING]))


def test_two_reports_that_overlap_are_not_invoiced_in_one_go(session, march):
    half = billed(session, march.customer_id, FIRST_HALF)
    with pytest.raises(Conflict, match="bill the same orders"), session.begin_nested():
        from_reports.draft_many(session, SYSTEM, [march.id, half.id], now=NOW, today=TODAY)
    made = from_reports.draft_many(
        session, SYSTEM, [march.id, half.id], again_reason="Agreed with Acme", now=NOW, today=TODAY
    )
    assert len(made) == 2
    assert _wrong(session) == []


def test_of_two_who_bill_the_same_at_once_one_wins(sessions):
    """Of two reports, so that neither waits for the other's report."""
    with sessions.begin() as session:
        customer = a_customer(session)
        an_order(session, customer, "ACME-1")
        reports = [billed(session, customer).id, billed(session, customer, FIRST_HALF).id]

    def invoiced(report_id):
        with sessions.begin() as session:
            return from_reports.draft_from_report(session, SYSTEM, report_id, now=NOW, today=TODAY).id

    found = at_once(*(lambda report_id=report_id: invoiced(report_id) for report_id in reports))

    (winner,) = (one for one in found if isinstance(one, int))
    (loser,) = (one for one in found if not isinstance(one, int))
    assert f"is billed on a draft (no. {winner}) already" in str(loser)


def _wrong(session):
    return [wrong for check in verify.checks(session) for wrong in check.wrong]
