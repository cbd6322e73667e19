"""Which texts that a run puts on documents have characters that no font of PDFs has, told before they are sent."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer
from billing_core.bill_runs.progress import visible
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.ordering import natural
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.documents import legibility
from billing_core.invoices.documents.legibility import Unprintable
from billing_core.rating.models import Service

_OF_CUSTOMER: Final = {
    "name": "name",
    "address": "address",
    "city": "town",
    "state": "state",
    "postal_code": "postal code",
    "tax_id": "tax number",
    "zero_tax_reason": "reason for 0 % tax",
    "payment_terms": "payment terms",
}


def of_run(session: Session, actor: Actor, run_id: int) -> Unprintable:
    """The characters that its PDFs cannot show of our details, of its customers' and of the names of services, by where
    they are.
    """
    actor.require(Permission.REPORT_READ)
    of_this_run = (
        select(BillRunCustomer.customer_id)
        .join(BillRun, BillRun.id == BillRunCustomer.run_id)
        .where(BillRun.id == run_id, visible(actor))
    )
    columns = [getattr(Customer, field) for field in _OF_CUSTOMER]
    billed = select(Customer.id, Customer.business_id, *columns).where(Customer.id.in_(of_this_run))
    texts: dict[str, str] = {}
    ours = set()
    for _, business_id, *facts in session.execute(billed.order_by(Customer.name_order, Customer.id)):
        ours.add(business_id)
        texts |= {f"{facts[0]}, {field}": fact for field, fact in zip(_OF_CUSTOMER.values(), facts, strict=True)}
    for business in session.scalars(select(Business).where(Business.id.in_(ours)).order_by(Business.id)):
        texts |= {f"{business.name}, {label}": text for label, text in _of(business).items()}
    texts |= {f"Service {name}": name for name in session.scalars(select(Service.name).order_by(natural(Service.name)))}
    return legibility.found_in(texts)


def _of(business: Business) -> dict[str, str]:
    return legibility.of_issuer(issuers.of_business(business))
