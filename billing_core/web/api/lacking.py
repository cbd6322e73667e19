"""What an invoice was sent without, as a header of what programs are answered: no published body has a place for it."""

from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.invoices.legal_content import of_invoices

HEADER: Final = "Invoice-Lacks"
DESCRIBED: Final[dict[str, Any]] = {
    HEADER: {
        "description": "What the law or usage wants on invoices and this one was sent without, with commas",
        "schema": {"type": "string"},
    }
}


def headers(session: Session, actor: Actor, invoice_id: int) -> dict[str, str]:
    """Empty where it is complete, or still a draft, and for whom it bills: what we lack is for us to know.

    The caller has checked that this actor may see it.
    """
    lacks = of_invoices.sent_without(session, invoice_id) if actor.customer_id is None else []
    return {HEADER: ", ".join(lacks)} if lacks else {}
