"""Invoices of the billing API v1, /v1/billing/invoice: open as soon as they are made, and listed by an offset."""

from typing import Annotated, Any, Final

from fastapi import Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor
from billing_core.invoices.lists import by_offset
from billing_core.payments import opening
from billing_core.subscriptions import further
from billing_core.web.api import lacking
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.billing import bodies
from billing_core.web.api.billing.bodies import NewInvoice, OpenInvoice, OpenInvoiceList, Status
from billing_core.web.api.exact_json import ExactJSON
from billing_core.web.api.invoices.requests import with_documented_fields
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/v1/billing/invoice", tags=["Billing"])

DEFAULT_LIMIT: Final = 20
MOST_AT_ONCE: Final = 100
# Skipping more takes longer than any program waits.
_LARGEST_OFFSET: Final = 10_000_000
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {"Location": {"description": "The invoice's own address", "schema": {"type": "string"}}}
        | lacking.DESCRIBED
    },
    404: {"description": "There is no such customer or subscription, or the caller may not see it"},
}
# They may be absent from an address; null cannot be written there, and the description does not offer it.
_CustomerId = Annotated[str | None, Query(description="Only this customer's", examples=["cus_1234567890"])]


@router.post(
    "", status_code=201, response_model=OpenInvoice, responses=_CREATED, summary="Create an invoice that is open"
)
def create_open_invoice(caller: CurrentCaller, session: Transaction, given: NewInvoice) -> Response:
    """It gets the next number and is due, in the customer's currency and without tax; nobody is written to."""
    try:
        invoice = opening.create(
            session,
            caller.actor,
            given.customer_id,
            given.items(),
            due_on=given.due_date,
            notes=given.memo or "",
            now=utc_now(),
        )
    except Invalid as refusal:
        raise with_documented_fields(refusal, bodies.documented_field) from None
    if given.subscription_id is not None:
        further.attach(session, caller.actor, given.subscription_id, invoice, now=utc_now())
    answer = _one(session, caller.actor, invoice.public_id)
    headers = {"Location": f"/v1/billing/invoice/{invoice.public_id}"}
    headers |= lacking.headers(session, caller.actor, invoice.id)
    return ExactJSON(answer, 201, headers)


@router.get("", response_model=OpenInvoiceList, summary="List invoices of all businesses")
def list_open_invoices(
    caller: CurrentCaller,
    customer_id: _CustomerId = None,
    status: Annotated[Status | None, Query(description="Only those of this status")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, le=_LARGEST_OFFSET, description="How many are left out first"), IN_DIGITS] = 0,
) -> Response:
    """The newest first."""
    # Opened here: as a dependency it would change threads twice, which takes longer than the list.
    with runtime.sessions()() as session:
        state = bodies.state(status)
        rows = by_offset.page(
            session, caller.actor, customer_id=customer_id, state=state, limit=limit + 1, offset=offset
        )
        shown = rows[:limit]
        items = by_offset.items(session, shown)
        of_subscriptions = further.subscriptions_of(session, [row.id for row in shown])
    answer: OpenInvoiceList = {
        "invoices": [bodies.invoice(row, items[row.id], of_subscriptions.get(row.id)) for row in shown],
        "count": len(shown),
        "limit": limit,
        "offset": offset,
        "has_more": len(rows) > limit,
    }
    return ExactJSON(answer)


@router.get("/{id}", response_model=OpenInvoice, summary="Get an invoice in cents")
def get_open_invoice(
    caller: CurrentCaller,
    session: Reading,
    invoice_id: Annotated[str, Path(alias="id", description="The invoice's id", examples=["inv_1234567890"])],
) -> Response:
    """Whoever made it, and whatever its status is."""
    return ExactJSON(_one(session, caller.actor, invoice_id))


def _one(session: Session, actor: Actor, invoice_id: str) -> OpenInvoice:
    billed = by_offset.one(session, actor, invoice_id)
    of_subscriptions = further.subscriptions_of(session, [billed.id])
    return bodies.invoice(billed, by_offset.items(session, [billed])[billed.id], of_subscriptions.get(billed.id))
