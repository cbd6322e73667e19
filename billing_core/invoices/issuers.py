"""The issuers of invoices: our businesses as documents name them, and which of them an actor may see."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries
from billing_core.businesses.models import Business, BusinessLogo
from billing_core.businesses.queries import BusinessRef
from billing_core.customers.models import Customer
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.pdf_layout.paper_size import PaperSize


@dataclass(frozen=True, slots=True)
class Issuer:
    """A business as a document names it, and the ``paper`` that it writes on. ``country`` is the one by whose law it
    writes invoices, an ISO 3166 code or empty. ``logo`` is a PNG or JPEG.
    """

    name: str
    address: str = ""
    email: str = ""
    phone: str = ""
    tax_id: str = ""
    bank_details: str = ""
    footer: str = ""
    register_number: str = ""
    country: str = ""
    paper: PaperSize = PaperSize.A4
    logo: bytes | None = None


# Frozen into an invoice when it is sent: everything but the logo.
_FROZEN = tuple(field.name for field in fields(Issuer) if field.name != "logo")


def of_business(business: Business) -> Issuer:
    """A business with its present details, without its logo."""
    return Issuer(
        name=business.name,
        address=business.address,
        email=business.email,
        phone=business.phone,
        tax_id=business.tax_id,
        bank_details=business.bank_details,
        footer=business.invoice_footer,
        register_number=business.register_number,
        country=business.seat,
        paper=business.paper_size,
    )


def freeze(business: Business) -> dict[str, Any]:
    """What an invoice stores of its issuer when it is sent."""
    facts = asdict(of_business(business))
    return {name: facts[name] for name in _FROZEN}


def frozen(facts: Mapping[str, Any]) -> Issuer:
    """The issuer of a sent invoice, from what ``freeze`` made; older invoices lack a field, and are A4."""
    known: dict[str, Any] = {name: facts.get(name) or "" for name in _FROZEN}
    known["paper"] = PaperSize(known["paper"] or PaperSize.A4)
    return Issuer(**known)


def of_invoice(session: Session, invoice: Invoice) -> Issuer:
    """As frozen into the invoice, or for a draft the business as it is today; without the logo."""
    if invoice.issuer is None:
        return of_business(queries.one(session, invoice.business_id))
    return frozen(invoice.issuer)


def with_logo(session: Session, issuer: Issuer, business_id: int) -> Issuer:
    logo = session.scalar(select(BusinessLogo.content).where(BusinessLogo.business_id == business_id))
    return replace(issuer, logo=logo)


def visible(session: Session, actor: Actor) -> list[Business]:
    """All businesses, the first one first; an actor bound to one customer sees those that bill it."""
    actor.require(Permission.INVOICE_READ)
    if actor.customer_id is None:
        return queries.every(session)
    bills = or_(
        exists().where(Customer.id == actor.customer_id, Customer.business_id == Business.id),
        exists().where(Invoice.customer_id == actor.customer_id, Invoice.business_id == Business.id),
    )
    return list(session.scalars(select(Business).where(bills).order_by(Business.id)))


def one(session: Session, actor: Actor, public_id: str) -> BusinessRef:
    """A business by its public id; NotFound where there is none or this actor may not see it."""
    ref = queries.ref(session, public_id)
    if actor.customer_id is not None and ref.id not in {business.id for business in visible(session, actor)}:
        raise NotFound(f"There is no business {public_id}")
    return ref
