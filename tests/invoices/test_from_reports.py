"""Invoices made from reports."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import update

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Today
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, from_reports, queries, service
from billing_core.invoices.from_reports import Grouping
from billing_core.money import Money
from tests.reports.company import LATER, NOW, a_customer, an_order, billed

TODAY = date(2026, 4, 2)


def _invoiced(session, report_id, **options):
    return from_reports.draft_from_report(session, SYSTEM, report_id, now=NOW, today=TODAY, **options)


def _march(session, ref="ACME", **facts):
    """Two orders, of 4 and of 1,230 items: 2 × 2.00 for handling and 617.00 for picking."""
    customer = a_customer(session, ref, **facts)
    an_order(session, customer, f"{ref}-1", items=4)
    an_order(session, customer, f"{ref}-2", items=1_230)
    return billed(session, customer)


def test_a_line_for_each_service_with_what_was_counted(session):
    report = _march(session)

    draft = _invoiced(session, report.id, tax_rate=Decimal(19))

    lines = queries.lines(session, draft.id)
    assert [(line.description, line.quantity, line.unit_price, line.report_id) for line in lines] == [
        ("Picking, Mar 1 – 31, 2026: 1,234 items, 2 orders", 1234, Decimal("0.5"), report.id),
        ("Handling, Mar 1 – 31, 2026: 2 orders", 2, Decimal(2), report.id),
    ]
    assert draft.subtotal_minor == report.total_minor == 62100
    assert draft.tax_minor == 11799
    assert (draft.customer_name, draft.due_on) == ("Acme Corp", date(2026, 5, 2))


@pytest.mark.parametrize(
    ("by", "descriptions"),
    [
        (Grouping.ORDER, ["Order ACME-1, Mar 10, 2026", "Order ACME-2, Mar 10, 2026"]),
        (Grouping.TOTAL, ["Services, Mar 1 – 31, 2026: 2 orders"]),
    ],
)
def test_a_line_for_each_order_or_one_for_all(session, by, descriptions):
    report = _march(session)

    draft = _invoiced(session, report.id, by=by)

    assert [line.description for line in queries.lines(session, draft.id)] == descriptions
    assert draft.total_minor == report.total_minor
    assert [found.id for found in from_reports.billed_reports(session, draft.id)] == [report.id]


def test_lines_speak_the_customers_language(session):
    report = _march(session, currency="EUR")
    customer = session.get_one(Customer, report.customer_id)
    customer.language = "de"
    session.flush()

    draft = _invoiced(session, report.id)

    assert (draft.currency, draft.language) == ("EUR", "de")
    assert queries.lines(session, draft.id)[0].description == "Picking, 1.–31. März 2026: 1.234 Artikel, 2 Aufträge"


def test_a_currency_without_minor_units_keeps_the_reports_total(session):
    report = _march(session, currency="JPY")

    assert _invoiced(session, report.id).total == Money(report.total_minor, "JPY") == Money(621, "JPY")


def test_a_report_is_not_invoiced_twice_by_mistake(session):
    report = _march(session)
    first = _invoiced(session, report.id)

    with pytest.raises(Conflict, match=f"Report {report.id} is on a draft"):
        _invoiced(session, report.id)
    (found,) = from_reports.earlier(session, [report.id])
    assert (found.report_id, found.invoice_id, found.number) == (report.id, first.id, None)

    assert _invoiced(session, report.id, again_reason="Agreed").id != first.id


def test_a_newer_version_knows_what_the_older_was_invoiced_on(session):
    report = _march(session)
    first = _invoiced(session, report.id)
    an_order(session, report.customer_id, "ACME-3")
    newer = billed(session, report.customer_id, now=LATER)

    with pytest.raises(Conflict, match="already"):
        _invoiced(session, newer.id)
    with pytest.raises(Conflict, match=f"replaced by report {newer.id}"):
        _invoiced(session, report.id, again_reason="Agreed")
    (found,) = from_reports.earlier(session, [newer.id])
    assert (found.billed_version, found.invoice_id) == (1, first.id)


def test_a_discarded_or_cancelled_invoice_lets_the_report_be_invoiced_again(session):
    report = _march(session)
    service.discard(session, SYSTEM, _invoiced(session, report.id).id, now=NOW)
    sent = service.send(session, SYSTEM, _invoiced(session, report.id).id, now=NOW)
    after_sending.cancel(session, SYSTEM, sent.id, now=NOW, today=TODAY)

    assert from_reports.earlier(session, [report.id]) == []
    assert _invoiced(session, report.id).total_minor == report.total_minor


def test_all_chosen_reports_or_none(session):
    one, other = _march(session, "A"), _march(session, "B")
    _invoiced(session, other.id)

    with pytest.raises(Conflict, match=f"Report {other.id}"):
        from_reports.draft_many(session, SYSTEM, [one.id, other.id], now=NOW, today=TODAY)
    assert from_reports.earlier(session, [one.id]) == []

    made = from_reports.draft_many(session, SYSTEM, [other.id, one.id], again_reason="Agreed", now=NOW, today=TODAY)
    assert [[found.id for found in from_reports.billed_reports(session, made_id)] for made_id in made] == [
        [other.id],
        [one.id],
    ]


def test_a_report_that_comes_to_nothing_is_not_invoiced(session):
    empty = billed(session, a_customer(session))

    with pytest.raises(Conflict, match="nothing to invoice"):
        _invoiced(session, empty.id)


def test_somebody_of_one_customer_cannot_invoice_reports(session):
    report = _march(session)
    bound = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=report.customer_id)

    with pytest.raises(Forbidden):
        from_reports.draft_from_report(session, bound, report.id, now=NOW, today=TODAY)
    with pytest.raises(NotFound):
        _invoiced(session, report.id + 1)


def test_a_draft_has_the_day_of_the_customers_own_business(session):
    """It is April 2 in the first business and April 3 in the other."""
    far = Business(name="Far", currency="USD", time_zone="Pacific/Auckland")
    session.add(far)
    session.flush()
    near_report, far_report = _march(session), _march(session, "FAR")
    session.execute(update(Customer).where(Customer.ref == "FAR").values(business_id=far.id))
    today = Today(TODAY, ((far.id, date(2026, 4, 3)),))
    ids = from_reports.draft_many(session, SYSTEM, [near_report.id, far_report.id], now=NOW, today=today)
    assert [queries.one(session, SYSTEM, one).issued_on for one in ids] == [TODAY, date(2026, 4, 3)]
