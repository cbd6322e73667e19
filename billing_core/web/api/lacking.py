"""What an invoice was sent without, as a header of what programs are answered: no published body has a place for it."""

from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.invoices.legal_content import of_invoices

HEADER: Final = "Invoice-Lacks"
DESCRIBED: Final[dict[str, Any]] = {
    HEADER: {
        "description": "What the law or usage wants on invoices and this one was sent without, with commas",
        "schema": {"type": "string"},
    }
}


def headers(session: Session, invoice_id: int) -> dict[str, str]:
    """Empty where it is complete, or still a draft. The caller has checked that it may be seen."""
    lacks = of_invoices.sent_without(session, invoice_id)
    return {HEADER: ", ".join(lacks)} if lacks else {}
