"""Which texts of a statement have characters that no font of PDFs has."""

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.identity import Actor
from billing_core.invoices import issuers
from billing_core.invoices.content.content import postal_address
from billing_core.invoices.documents import legibility
from billing_core.invoices.documents.legibility import Unprintable
from billing_core.receivables.statement import Statement


def of_statement(session: Session, actor: Actor, account: Statement) -> Unprintable:
    """The characters that its PDF cannot show, by where they are."""
    customer = customers.one(session, actor, account.request.customer_id)
    business = businesses.one(session, account.request.business_id or customer.business_id)
    of_rows = {f"{row.document} {row.reference}".strip(): f"{row.document} {row.reference}" for row in account.rows}
    return legibility.found_in(
        {
            **legibility.of_issuer(issuers.of_business(business)),
            "Customer": customer.name,
            "Address": postal_address(customer),
            "Customer's e-mail": customer.email,
            "Customer's tax number": customer.tax_id,
            **of_rows,
        }
    )
