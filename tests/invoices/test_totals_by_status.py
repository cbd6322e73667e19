"""One pass over the list says what asking for each status says."""

from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices import after_sending, queries
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.queries import InvoiceFilter
from tests.invoices.company import LATER, TODAY, a_customer, a_draft, a_line, an_invoice


def test_each_status_and_currency_has_its_own_sums(session):
    acme, other = a_customer(session), a_customer(session, "OTHER", name="Other")
    an_invoice(session, acme)
    an_invoice(session, acme, a_line(quantity="1"))
    a_draft(session, acme, currency="EUR")
    after_sending.cancel(session, SYSTEM, an_invoice(session, other).id, now=LATER, today=TODAY)
    late = TODAY.replace(year=2027)

    def found(actor=SYSTEM, day=TODAY, **facts):
        rows = queries.totals_by_status(session, actor, InvoiceFilter(**facts), today=day)
        return {(row.status.value, row.currency): (row.invoices, row.total_minor, row.due_minor) for row in rows}

    # 238.00 + 119.00 are sent.
    assert found() == {
        ("draft", "EUR"): (1, 23800, 0),
        ("sent", "USD"): (2, 35700, 35700),
        ("cancelled", "USD"): (1, 23800, 0),
    }
    assert found(day=late)["overdue", "USD"] == (2, 35700, 35700)
    assert found(customer_id=other).keys() == {("cancelled", "USD")}
    assert found(status=(InvoiceStatus.DRAFT,)) == found()
    bound = actor_with(Role.FINANCE, user_id=None, name="Olga", customer_id=other)
    assert found(bound).keys() == {("cancelled", "USD")}
