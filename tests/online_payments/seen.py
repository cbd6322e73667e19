"""What stands in the books, on the invoice and among the cases once events were applied."""

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices import lifecycle
from billing_core.invoices.models import Invoice, InvoiceEvent
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.online_payments import queries
from billing_core.online_payments.models import CaseKind
from billing_core.payments.models import Payment
from billing_core.receivables import verification
from tests.payments.books import TODAY, accounts


def status(sessions, invoice) -> str:
    with sessions() as session:
        return lifecycle.status(session.get_one(Invoice, invoice.id), TODAY).value


def state_of(sessions, link) -> LinkState:
    with sessions() as session:
        return session.get_one(PaymentLink, link.id).state


def books(sessions) -> dict[str, int]:
    with sessions() as session:
        assert [check for check in verification.checks(session, today=TODAY) if check.wrong] == []
        return accounts(session)


def kinds(sessions, invoice) -> list[str]:
    with sessions() as session:
        wanted = select(InvoiceEvent.kind).where(InvoiceEvent.invoice_id == invoice.id).order_by(InvoiceEvent.id)
        return [kind.value for kind in session.scalars(wanted)]


def open_cases(sessions) -> list[tuple[CaseKind, int, int | None]]:
    with sessions() as session:
        return [(row.kind, row.amount_minor, row.expected_minor) for row in queries.cases(session, SYSTEM)]


def the_payment(sessions) -> Payment:
    with sessions() as session:
        return session.scalars(select(Payment)).one()
