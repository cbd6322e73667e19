"""Orders that name no customer, as those of a shop's till or of guests: whose they are is said once a file."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.errors import Invalid
from billing_core.imports import Kind
from billing_core.imports.mapping import FromColumns, Mapping
from billing_core.imports.reading import shown
from billing_core.imports.words.answers import LEAVE_OUT
from billing_core.imports.words.spelling import same_word


def belong_to(kind: Kind, mapping: Mapping, ref: str) -> Mapping:
    """The mapping of a file's orders by which those without a customer are of the customer ``ref``; that of its
    customers by which no customer is made of their rows. An empty ``ref`` takes that back. Others stay as they are, and
    so does one that takes the customer from no column.
    """
    origin = mapping.get("customer_ref")
    if kind not in (Kind.CUSTOMERS, Kind.ORDERS) or not isinstance(origin, FromColumns):
        return mapping
    stays = [(theirs, ours) for theirs, ours in origin.words if same_word(theirs)]
    said = [("", ref if kind is Kind.ORDERS else LEAVE_OUT)] if ref else []
    return Mapping({**mapping, "customer_ref": replace(origin, words=(*stays, *said))})


def id_of(session: Session, ref: str) -> int | None:
    """Of the customer of exactly this ref, unless it was merged into another; None where there is none."""
    known = Customer.ref == ref, Customer.merged_into_id.is_(None)
    return session.scalar(select(Customer.id).where(*known))


def refuse_unknown(session: Session, ref: str) -> None:
    """Invalid unless it is that of a customer, or empty."""
    if ref and id_of(session, ref) is None:
        raise Invalid(f"No customer has the customer_ref “{shown(ref)}”", fields={"customer_ref": "is not known"})


def owner(mapping: Mapping) -> str:
    """Of the orders without a customer; empty where nobody has said it."""
    origin = mapping.get("customer_ref")
    words = origin.words if isinstance(origin, FromColumns) else ()
    ours = next((ours for theirs, ours in words if not same_word(theirs)), "")
    return "" if ours == LEAVE_OUT else ours
