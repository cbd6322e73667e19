"""What subscribers are told of: invoices and reports as the published APIs show them."""

from typing import Any

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import day_in, utc_now
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.reports import queries as reports
from billing_core.web.api import invoice_bodies, reports_plain


def rendered(session: Session, kind: str, identity: int) -> dict[str, Any] | None:
    """The object of an event as it is now; None where there is none (any more)."""
    try:
        match kind:
            case "invoice":
                return _invoice(session, identity)
            case "report":
                shown: dict[str, Any] = reports_plain.listed([reports.one(session, SYSTEM, identity)])[0]
                return shown
    except NotFound:
        pass
    return None


def _invoice(session: Session, invoice_id: int) -> dict[str, Any]:
    found = invoices.one(session, SYSTEM, invoice_id)
    business = businesses.one(session, found.business_id)
    today = day_in(businesses.default_business(session).time_zone, utc_now())
    return invoice_bodies.invoice(found, invoices.lines(session, found.id), business.public_id, today)
