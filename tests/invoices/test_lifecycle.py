"""States, the published status in Python and in SQL, and what settling moves."""

from datetime import date, timedelta
from itertools import chain, combinations, product

import pytest
from sqlalchemy import insert, select, update

from billing_core.businesses.queries import default_business
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle, queries
from billing_core.invoices.lifecycle import MOVES, Change, InvoiceStatus
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, an_invoice, kinds

PAYMENT = EventKind.PAYMENT


def _every_kind_of_invoice(session):
    """Each state with each combination of the facts that a status follows from, as the constraints allow them."""
    acme = a_customer(session)
    business = default_business(session).id
    days = (TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1))
    money = ((0, 0), (100, 0), (100, 40), (100, 100))
    views, marks = (None, NOW), (None, TODAY - timedelta(days=1), TODAY)
    rows = [
        {
            "business_id": business,
            "customer_id": acme,
            "state": state,
            "number": f"N-{at}",
            "currency": "USD",
            "issued_on": date(2026, 1, 1),
            "due_on": due_on,
            "subtotal_minor": paid if state is InvoiceState.PAID else 100,
            "total_minor": paid if state is InvoiceState.PAID else 100,
            "paid_minor": paid,
            "refunded_minor": refunded,
            "viewed_at": viewed,
            "marked_late_after": marked,
            "failed_late_after": failed,
            "payment_failed_at": NOW,
            "created_at": NOW,
            "created_by": "a test",
            "updated_at": NOW,
        }
        for at, (state, due_on, (paid, refunded), viewed, marked, failed) in enumerate(
            product(InvoiceState, days, money, views, marks, marks)
        )
    ]
    session.execute(insert(Invoice), rows)
    return rows


def test_the_status_is_the_same_in_python_in_sql_and_as_a_filter(session):
    rows = _every_kind_of_invoice(session)

    found = session.execute(select(*queries.COLUMNS, lifecycle.status_sql(TODAY).label("status"))).all()

    assert len(found) == len(rows)
    in_python = {row.id: lifecycle.status(row, TODAY) for row in found}
    assert in_python == {row.id: row.status for row in found}
    assert set(in_python.values()) == set(InvoiceStatus)
    for some in chain.from_iterable(combinations(InvoiceStatus, size) for size in range(1, 8)):
        filtered = session.scalars(select(Invoice.id).where(lifecycle.has_status(some, TODAY)))
        assert set(filtered) == {invoice_id for invoice_id, its in in_python.items() if its in some}, some


@pytest.mark.parametrize(("current", "target"), [*product(InvoiceState, repeat=2)])
def test_only_listed_moves_are_made(session, current, target):
    invoice = an_invoice(session, a_customer(session))
    # Straight into the table: the way there is not what is asked.
    settled = {"paid_minor": invoice.total_minor} if InvoiceState.PAID in (current, target) else {}
    session.execute(update(Invoice).values(state=current, **settled))
    session.refresh(invoice)

    def move():
        lifecycle.change(session, SYSTEM, [Change(invoice, to=target)], event=None, now=NOW)

    if target in MOVES[current]:
        move()
        assert invoice.state is target
    else:
        with pytest.raises(Conflict):
            move()


def _settled(session, invoice, event=PAYMENT, **amounts):
    lifecycle.settle(session, SYSTEM, invoice, event=event, now=NOW, **amounts)
    return invoice.state.value, invoice.due_minor


def test_paying_in_parts_and_taking_back(session):
    """238.00 in all."""
    invoice = an_invoice(session, a_customer(session))

    assert _settled(session, invoice, paid=10000) == ("open", 13800)
    assert _settled(session, invoice, paid=13800) == ("paid", 0)
    assert invoice.paid_at == NOW
    assert _settled(session, invoice, paid=-10000) == ("open", 10000)
    assert invoice.paid_at is None
    assert kinds(session, invoice.id) == ["created", "sent", "payment", "payment", "payment"]


def test_what_is_written_off_or_credited_whole_is_cancelled_and_may_come_back(session):
    acme = a_customer(session)
    written_off, credited = an_invoice(session, acme), an_invoice(session, acme)

    assert _settled(session, written_off, written_off=23800) == ("cancelled", 0)
    assert _settled(session, written_off, written_off=-23800) == ("open", 23800)
    assert written_off.cancelled_at is None
    assert _settled(session, credited, credited=23800) == ("cancelled", 0)
    with pytest.raises(Conflict, match="nothing is due"):
        _settled(session, credited, paid=1)


def test_part_credited_part_written_off_and_the_rest_paid_is_paid(session):
    invoice = an_invoice(session, a_customer(session))

    _settled(session, invoice, credited=3800)
    _settled(session, invoice, written_off=5000)
    assert _settled(session, invoice, paid=15000) == ("paid", 0)
    assert _settled(session, invoice, refunded=15000) == ("paid", 0)
    assert lifecycle.status(invoice, TODAY) is InvoiceStatus.REFUNDED


@pytest.mark.parametrize("amounts", [{"paid": 23801}, {"paid": -1}, {"refunded": 1}, {"credited": -1}])
def test_amounts_that_do_not_fit_are_refused_and_change_nothing(session, amounts):
    invoice = an_invoice(session, a_customer(session))
    before = queries.one(session, SYSTEM, invoice.id)

    with pytest.raises(Conflict):
        _settled(session, invoice, **amounts)

    assert queries.one(session, SYSTEM, invoice.id) == before


def test_nothing_is_settled_on_a_draft(session):
    with pytest.raises(Conflict, match="a draft: nothing is due"):
        _settled(session, a_draft(session, a_customer(session)), paid=1)


def test_a_change_drawn_from_an_older_version_is_refused(session):
    invoice = an_invoice(session, a_customer(session))
    session.execute(update(Invoice).values(version=Invoice.version + 1).execution_options(synchronize_session=False))

    with pytest.raises(Conflict, match="at the same moment"):
        lifecycle.change(session, SYSTEM, [Change(invoice, {"viewed_at": NOW})], event=EventKind.VIEWED, now=NOW)


def test_the_timeline_goes_by_when_things_happened_and_not_by_when_they_were_written(session):
    invoice = an_invoice(session, a_customer(session))
    lifecycle.note(session, SYSTEM, invoice.id, EventKind.DOWNLOADED, now=NOW + timedelta(days=2))

    lifecycle.note(session, SYSTEM, invoice.id, EventKind.MAILED, now=NOW + timedelta(days=1))

    latest, earlier, *_ = queries.events(session, invoice.id)
    assert (latest.kind, earlier.kind) == (EventKind.DOWNLOADED, EventKind.MAILED)


def test_a_note_stands_in_the_timeline_and_changes_nothing_else(session):
    invoice = an_invoice(session, a_customer(session))
    version = invoice.version

    lifecycle.note(session, SYSTEM, invoice.id, EventKind.MAILED, {"to": "ap@acme.example"}, now=NOW)

    assert queries.events(session, invoice.id)[0].data == {"to": "ap@acme.example"}
    assert queries.one(session, SYSTEM, invoice.id).version == version
