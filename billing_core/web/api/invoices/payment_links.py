"""Payment links of the published invoices API, /api/invoices/{id}/payment-link."""

from datetime import datetime
from typing import Any

from pydantic import with_config
from sqlalchemy.orm import Session
from starlette.responses import Response
from typing_extensions import TypedDict

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import NotFound
from billing_core.identity import Actor
from billing_core.invoices.payment_links import LinkState
from billing_core.online_payments import configured
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links import workflow
from billing_core.online_payments.links.queries import LinkRow
from billing_core.settings import settings
from billing_core.web.api import lacking
from billing_core.web.api.access import CurrentCaller, Reading
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices.responses import LINK_CREATED, refusals
from billing_core.web.api.invoices.routes import InvoiceId, one
from billing_core.web.api.routing import router as described_router

router = described_router(prefix="/api/invoices/{id}/payment-link", tags=["Payment links"])
_EXAMPLE: dict[str, Any] = {
    "payment_link_url": "https://buy.stripe.com/test_abc123xyz",
    "stripe_invoice_id": "in_stripe_invoice_id_123",
    "expires_at": "2024-05-15T10:00:00Z",
}


@with_config(json_schema_extra={"example": _EXAMPLE})
class PaymentLink(TypedDict):
    """Where the customer pays. ``stripe_invoice_id`` is null until Stripe reports one."""

    payment_link_url: str
    stripe_invoice_id: str | None
    expires_at: datetime


@router.post(
    "",
    status_code=201,
    response_model=PaymentLink,
    responses=LINK_CREATED,
    summary="Create a payment link",
)
def create_payment_link(caller: CurrentCaller, invoice_id: InvoiceId) -> Response:
    """A place where the customer pays what is due. A draft is sent with it; no mail goes out."""
    sessions = runtime.sessions()
    with sessions() as session:
        invoice = one(session, caller.actor, invoice_id)
    gateway = configured.gateway(sessions, settings())
    link_id = workflow.create(sessions, caller.actor, gateway, invoice.id, now=utc_now())
    with sessions() as session:
        headers = lacking.headers(session, caller.actor, invoice.id)
        return ExactJSON(_answer(links.one(session, caller.actor, link_id)), 201, headers)


@router.get("", response_model=PaymentLink, responses=refusals(404), summary="Get the payment link")
def get_payment_link(caller: CurrentCaller, session: Reading, invoice_id: InvoiceId) -> Response:
    """The link by which the invoice can be paid now; 404 where it has none."""
    return ExactJSON(_answer(_active(session, caller.actor, invoice_id)))


def _active(session: Session, actor: Actor, invoice_id: str) -> LinkRow:
    invoice = one(session, actor, invoice_id)
    for link in links.of_invoice(session, actor, invoice.id):
        if link.state is LinkState.ACTIVE:
            return link
    raise NotFound(f"The invoice {invoice_id} has no payment link")


def _answer(link: LinkRow) -> PaymentLink:
    assert link.url is not None  # noqa: S101  # the database refuses an active link without one
    return {
        "payment_link_url": link.url,
        "stripe_invoice_id": link.stripe_invoice_id,
        "expires_at": link.expires_at,
    }
