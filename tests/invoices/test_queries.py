"""The list of invoices: filters, order, pages, counts and sums."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, custom_number, lifecycle, queries, service
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import EventKind
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.service import Details
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, a_line, an_invoice


def _ids(session, actor=SYSTEM, *, today=TODAY, limit=50, offset=0, **facts):
    found = queries.page(session, actor, InvoiceFilter(**facts), today=today, limit=limit, offset=offset)
    return [row.id for row in found]


def _some(session):
    """A draft, one sent, one viewed, one paid, one overdue, one cancelled, one refunded, and one discarded."""
    acme = a_customer(session)
    due = TODAY + timedelta(days=30)
    found = {
        status: an_invoice(session, acme, a_line(unit_price=str(100 + at)), due_on=due)
        for at, status in enumerate(list(InvoiceStatus)[1:])
    }
    found[InvoiceStatus.DRAFT] = a_draft(session, acme)
    after_sending.set_viewed(session, SYSTEM, found[InvoiceStatus.VIEWED].id, now=NOW)
    after_sending.mark_overdue(session, SYSTEM, found[InvoiceStatus.OVERDUE].id, now=NOW)
    after_sending.cancel(session, SYSTEM, found[InvoiceStatus.CANCELLED].id, now=NOW, today=TODAY)
    for status in (InvoiceStatus.PAID, InvoiceStatus.REFUNDED):
        invoice = found[status]
        lifecycle.settle(session, SYSTEM, invoice, paid=invoice.due_minor, event=EventKind.PAYMENT, now=NOW)
    refunded = found[InvoiceStatus.REFUNDED]
    lifecycle.settle(session, SYSTEM, refunded, refunded=refunded.paid_minor, event=EventKind.REFUNDED, now=NOW)
    service.discard(session, SYSTEM, a_draft(session, acme).id, now=NOW)
    return found


@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_each_status_finds_its_own(session, status):
    found = _some(session)

    assert _ids(session, status=(status,)) == [found[status].id]
    assert queries.count(session, SYSTEM, InvoiceFilter(status=(status,)), today=TODAY) == 1
    assert queries.one(session, SYSTEM, found[status].id).status(TODAY) is status


def _three(session):
    """100.00 USD of March 2nd, 50 JPY of March 3rd, 7.000 KWD of March 4th for another customer."""
    acme, other = a_customer(session), a_customer(session, "OTHER", name="Other Ltd")
    return [
        an_invoice(session, acme, a_line("A", "1", "100", "0"), issued_on=date(2026, 3, 2), reference="PO-77"),
        an_invoice(session, acme, a_line("B", "1", "50", "0"), issued_on=date(2026, 3, 3), currency="JPY"),
        an_invoice(
            session,
            other,
            a_line("C", "1", "7", "0"),
            issued_on=date(2026, 3, 4),
            currency="KWD",
            customer_name="Other Ltd",
        ),
    ]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, [2, 1, 0]),
        ({"order_by": "issued_on"}, [0, 1, 2]),
        ({"order_by": "number"}, [0, 1, 2]),
        ({"order_by": "-customer_name"}, [2, 1, 0]),
        ({"order_by": "total_amount"}, [1, 2, 0]),
        ({"order_by": "-amount_due"}, [0, 2, 1]),
        ({"issued_from": date(2026, 3, 3)}, [2, 1]),
        ({"issued_to": date(2026, 3, 2)}, [0]),
        ({"due_from": date(2026, 4, 2), "due_to": date(2026, 4, 2)}, [1]),
        ({"currency": "JPY"}, [1]),
        ({"text": "other"}, [2]),
        ({"text": "2026-002"}, [1]),
        ({"text": "po-77"}, [0]),
        ({"text": "100%\0"}, []),
        ({"currency": "US\0"}, []),
        ({"smallest": Decimal(50)}, [1, 0]),
        ({"largest": Decimal("99.99")}, [2, 1]),
        ({"smallest": Decimal(7), "largest": Decimal(7), "currency": "KWD"}, [2]),
        ({"smallest": Decimal("1E+40")}, []),
        ({"business_id": 2}, []),
        ({"status": (InvoiceStatus.SENT, InvoiceStatus.DRAFT), "currency": "USD"}, [0]),
    ],
)
def test_filters_and_order(session, facts, found):
    invoices = _three(session)

    assert _ids(session, **facts) == [invoices[place].id for place in found]
    assert queries.count(session, SYSTEM, InvoiceFilter(**facts), today=TODAY) == len(found)
    listed = session.execute(queries.listing(session, SYSTEM, InvoiceFilter(**facts), today=TODAY)).all()
    assert [row.id for row in listed] == [invoices[place].id for place in found]
    assert queries.ids(session, SYSTEM, InvoiceFilter(**facts), today=TODAY) == [invoices[at].id for at in found]


def test_numbers_are_sorted_as_numbers_and_drafts_without_one_stand_first(session):
    acme = a_customer(session)
    numbers = ["9-A", "999", "1000", "INV-9", "inv-9b", "INV-10", "INV-2019-999", "INV-2019-1000", "R 7/9", "R 7/10"]
    found = {number: a_draft(session, acme) for number in numbers[::-1]}
    for number, draft in found.items():
        custom_number.give(session, SYSTEM, draft.id, number, now=NOW)
    service.send(session, SYSTEM, found["1000"].id, now=NOW)
    draft = a_draft(session, acme)

    expected = [draft.id, *(found[number].id for number in numbers)]
    assert _ids(session, order_by="number") == expected
    assert _ids(session, order_by="-number") == expected[::-1]


def test_amounts_are_sorted_within_their_currency(session):
    """1,000 yen are less than 100 dollars, and 20 dollars less than both; nobody compares them."""
    acme = a_customer(session)
    amounts = {"EUR 5": ("EUR", "5"), "EUR 70": ("EUR", "70"), "JPY 1000": ("JPY", "1000"), "USD 20": ("USD", "20")}
    found = {
        name: an_invoice(session, acme, a_line(unit_price=price, quantity="1", tax_rate="0"), currency=currency).id
        for name, (currency, price) in reversed(amounts.items())
    }
    for order_by in ("total_amount", "amount_due"):
        assert _ids(session, order_by=order_by) == [found[name] for name in amounts]
        assert _ids(session, order_by=f"-{order_by}") == [found[name] for name in reversed(amounts)]


def test_invoices_stand_by_the_name_that_is_on_them(session):
    acme = a_customer(session)
    names = ["Apfel", "Äpfel 9", "Äpfel 10", "Ärzte", "Azur"]
    found = {name: a_draft(session, acme, customer_name=name) for name in names[::-1]}
    renamed = found["Ärzte"]
    facts = Details(customer_name="Zebra")
    service.update_details(session, SYSTEM, renamed.id, facts, now=NOW, today=TODAY)

    expected = [found[name].id for name in ("Apfel", "Äpfel 9", "Äpfel 10", "Azur", "Ärzte")]
    assert _ids(session, order_by="customer_name") == expected
    assert _ids(session, order_by="-customer_name") == expected[::-1]


def test_pages_follow_each_other_and_counting_stops_where_told(session):
    invoices = _three(session)

    assert _ids(session, limit=2) == [invoices[2].id, invoices[1].id]
    assert _ids(session, limit=2, offset=2) == [invoices[0].id]
    assert queries.count(session, SYSTEM, InvoiceFilter(), today=TODAY, at_most=2) == 2


def test_sums_never_mix_currencies(session):
    jpy, usd = _three(session)[1], a_draft(session, a_customer(session, "THIRD"))
    lifecycle.settle(session, SYSTEM, jpy, paid=20, event=EventKind.PAYMENT, now=NOW)

    totals = queries.totals(session, SYSTEM, InvoiceFilter(), today=TODAY)

    assert [(one.currency, one.invoices, one.total_minor, one.due_minor) for one in totals] == [
        ("JPY", 1, 50, 30),
        ("KWD", 1, 7000, 7000),
        ("USD", 2, 10000 + usd.total_minor, 10000),
    ]


def test_an_unknown_order_is_refused(session):
    with pytest.raises(Invalid) as refused:
        _ids(session, order_by="secret; DROP TABLE")

    assert "issued_on" in refused.value.fields["order_by"]


def test_somebody_of_one_customer_sees_its_invoices_alone(session):
    mine, _, other = _three(session)
    bound = actor_with(Role.FINANCE, user_id=None, name="Bo", customer_id=mine.customer_id)

    assert other.id not in _ids(session, bound)
    assert queries.one(session, bound, mine.public_id).number == "INV-2026-001"
    with pytest.raises(NotFound):
        queries.one(session, bound, other.id)
    with pytest.raises(NotFound):
        queries.for_change(session, bound, other.id)


@pytest.mark.parametrize(
    ("filters", "step"),
    [
        (InvoiceFilter(), "SCAN invoices USING INDEX ix_invoices_issued"),
        (InvoiceFilter(order_by="-number"), "SCAN invoices USING INDEX ix_invoices_number_order"),
        (InvoiceFilter(order_by="customer_name"), "SCAN invoices USING INDEX ix_invoices_customer_name_order"),
        (InvoiceFilter(order_by="-total_amount"), "SCAN invoices USING INDEX ix_invoices_currency_total"),
        (InvoiceFilter(order_by="amount_due"), "SCAN invoices USING INDEX ix_invoices_currency_due"),
        (
            InvoiceFilter(order_by="-total_amount", currency="EUR"),
            "SEARCH invoices USING INDEX ix_invoices_currency_total (currency=?)",
        ),
        (
            InvoiceFilter(status=(InvoiceStatus.OVERDUE,), order_by="due_on"),
            "SEARCH invoices USING INDEX ix_invoices_state_due_on (state=?)",
        ),
    ],
)
def test_a_page_far_back_is_found_without_sorting(sessions, database_url, filters, step):
    if not database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL decides by the size of the table")
    with sessions() as session:
        statement = queries.page_ids(session, SYSTEM, filters, today=TODAY, limit=50, offset=49_950)
        compiled = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()

    assert [one[-1] for one in plan] == [step]


@pytest.mark.parametrize("number", [2**31, 2**63, 10**40, -(2**70), 0])
def test_what_no_database_holds_as_an_id_is_no_invoice(session, number):
    with pytest.raises(NotFound):
        queries.one(session, SYSTEM, number)
    with pytest.raises(NotFound):
        queries.for_change(session, SYSTEM, number)
