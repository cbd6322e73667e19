"""How two contents differ, in words, and which rows that rewrites."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.invoices.content import writing
from billing_core.invoices.content.content import Content
from billing_core.invoices.models import InvoicedReport, InvoiceLineItem
from tests.invoices.company import LATER, NOW, TODAY, a_customer, a_draft, a_line
from tests.reports import company as reports

BASE = Content(1, 1, "USD", TODAY, due_on=date(2026, 4, 1), notes="Thanks", lines=(a_line(),))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (a_line(), "Consulting, 2 × 100, 19 % tax"),
        (a_line("Work", "1.50", "0.125", "0"), "Work, 1.5 × 0.125, 0 % tax"),
        (a_line(discount_percent=Decimal("12.50")), "Consulting, 2 × 100, less 12.5 %, 19 % tax"),
        (a_line(discount_minor=250), "Consulting, 2 × 100, less 250 minor units, 19 % tax"),
        (a_line("x" * 201), f"{'x' * 200}, 2 × 100, 19 % tax"),
    ],
)
def test_a_line_in_words(line, words):
    assert writing.line_words(line) == words


def test_what_a_field_reads_now_is_said_of_each_that_differs():
    proposed = replace(BASE, notes="", reference="PO", customer_name="Acme", lines=())
    assert writing.now_reads(BASE, proposed) == {
        "notes": "is now “Thanks”",
        "reference": "is empty now",
        "customer_name": "is empty now",
        "line 1": "is now “Consulting, 2 × 100, 19 % tax”",
    }
    assert writing.now_reads(replace(BASE, lines=()), BASE) == {"line 1": "is gone"}
    assert writing.now_reads(replace(BASE, discount_minor=None), replace(BASE, discount_minor=5)) == {
        "discount_minor": "is empty now"
    }
    assert writing.now_reads(BASE, BASE) == {}


@pytest.mark.parametrize(("lines", "counted"), [(50, False), (51, True)])
def test_of_many_lines_that_differ_fifty_are_named_and_the_rest_counted(lines, counted):
    after = replace(BASE, lines=(a_line("Other"),) * lines)
    was, became = writing.line_differences(BASE, after)
    assert (became.get("lines"), was.get("lines")) == ((str(lines), "1") if counted else (None, None))
    assert [name for name in became if name != "lines"] == [f"line {at}" for at in range(1, 51)]
    assert (was["line 1"], was["line 2"]) == ("Consulting, 2 × 100, 19 % tax", None)


def stored(session, invoice_id):
    columns = (InvoiceLineItem.id, InvoiceLineItem.position, InvoiceLineItem.description, InvoiceLineItem.amount_minor)
    statement = select(*columns).where(InvoiceLineItem.invoice_id == invoice_id).order_by(InvoiceLineItem.position)
    return [tuple(row) for row in session.execute(statement)]


@pytest.mark.parametrize(
    ("names", "kept"),
    [("abc", 3), ("abd", 2), ("xbc", 0), ("ab", 2), ("abcd", 3), ("", 0)],
)
def test_lines_before_the_first_that_differs_stay_as_they_are(session, names, kept):
    acme = a_customer(session)
    before = tuple(a_line(name, "1", str(at)) for at, name in enumerate("abc", 1))
    draft, other = a_draft(session, acme, *before), a_draft(session, acme, *before)
    was, of_other = stored(session, draft.id), stored(session, other.id)
    after = tuple(a_line(name, "1", str(at)) for at, name in enumerate(names, 1))
    writing.replace_lines(session, draft.id, replace(BASE, lines=before), replace(BASE, lines=after), now=LATER)
    became = stored(session, draft.id)
    assert [row[1:] for row in became] == [(at, name, at * 100) for at, name in enumerate(names, 1)]
    assert [row[0] for row in became[:kept]] == [row[0] for row in was[:kept]]
    assert {row[0] for row in became[kept:]}.isdisjoint(row[0] for row in was) or not became[kept:]
    assert stored(session, other.id) == of_other


def test_the_reports_that_lines_bill_are_linked_and_unlinked(session):
    customer = reports.a_customer(session)
    reports.an_order(session, customer, "A-1")
    first = reports.billed(session, customer).id
    draft = a_draft(session, customer)

    def linked():
        return list(session.scalars(select(InvoicedReport.report_id)))

    without, once = replace(BASE, lines=()), replace(BASE, lines=(a_line(report_id=first),))
    twice = replace(BASE, lines=(a_line(report_id=first), a_line("More", report_id=first), a_line("None")))
    assert [writing.reports_of(one) for one in (without, once, twice)] == [[], [first], [first]]
    writing.replace_lines(session, draft.id, BASE, once, now=NOW)
    assert linked() == [first]
    writing.replace_lines(session, draft.id, once, twice, now=NOW)
    assert linked() == [first]
    writing.replace_lines(session, draft.id, twice, BASE, now=NOW)
    assert linked() == []
