"""Proof that customers are listed by their names."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.customers.models import Customer
from billing_core.proof import Check


def checks(session: Session) -> Iterator[Check]:
    yield Check(
        "Customers stand in lists where their names and refs do",
        proof.count(session, Customer),
        proof.misplaced(session, Customer.name, Customer.name_order, "the customer {0}")
        + proof.misplaced(session, Customer.ref, Customer.ref_order, "the ref {0}"),
    )
