"""What is kept of an invoice by tax rate is what its tax rows print, in a draft, after an edit and once it was sent."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.content.tax_rows import InvoiceTax
from tests.invoices.company import LATER, NOW, a_customer, a_draft, a_line, an_invoice

TWO_RATES = (a_line("Work", "1", "100", "19"), a_line("Book", "1", "50", "7"))


def kept(session, invoice):
    rows = select(InvoiceTax.tax_rate, InvoiceTax.net_minor, InvoiceTax.tax_minor)
    found = session.execute(rows.where(InvoiceTax.invoice_id == invoice.id).order_by(InvoiceTax.tax_rate))
    return [(f"{rate.normalize():f}", net, tax) for rate, net, tax in found]


def test_each_rate_is_kept_with_its_net_amount_and_its_tax(session):
    """100.00 at 19 % and 50.00 at 7 %."""
    draft = a_draft(session, a_customer(session), *TWO_RATES)
    assert kept(session, draft) == [("7", 50_00, 3_50), ("19", 100_00, 19_00)]


def test_a_discount_of_the_invoice_is_shared_by_the_rates(session):
    """3.00 off 150.00 takes 1.00 off the 50.00 at 7 % and 2.00 off the 100.00 at 19 %."""
    draft = a_draft(session, a_customer(session), *TWO_RATES, discount_minor=3_00)
    assert kept(session, draft) == [("7", 49_00, 3_43), ("19", 98_00, 18_62)]


def test_an_edit_changes_what_is_kept_also_where_no_line_does(session):
    draft = a_draft(session, a_customer(session), *TWO_RATES)

    def edit(**facts):
        content = replace(queries.content(session, draft), **facts)
        service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=LATER)

    edit(discount_percent=Decimal(10))
    assert kept(session, draft) == [("7", 45_00, 3_15), ("19", 90_00, 17_10)]
    edit(discount_percent=None, lines=(a_line("Export", "1", "70", "0"),))
    assert kept(session, draft) == [("0", 70_00, 0)]


def test_sending_freezes_the_country_of_the_customer(session):
    customer_id = a_customer(session, country="DE")
    draft = a_draft(session, customer_id)
    assert draft.customer_country == ""
    sent = service.send(session, SYSTEM, draft.id, now=NOW)
    assert sent.customer_country == "DE"


def test_invoices_of_many_customers_are_sent_with_the_country_of_each(session):
    drafts = [a_draft(session, a_customer(session, ref, country=ref)) for ref in ("FR", "CH", "AT")]
    session.flush()
    session.expire_all()
    sent = service.send_many(session, SYSTEM, [draft.id for draft in drafts], now=NOW)
    assert [one.customer_country for one in sent] == ["FR", "CH", "AT"]
    assert an_invoice(session, sent[0].customer_id).customer_country == "FR"
