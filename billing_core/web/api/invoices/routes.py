"""The published invoices API, /api/invoices: each route asks one service and answers in the document's words."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Final

from fastapi import Header, HTTPException, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from billing_core import runtime
from billing_core.businesses import queries as businesses
from billing_core.dates import day_in, utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity import Actor
from billing_core.invoices import by_email, issuers, queries
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists import keyset
from billing_core.invoices.rows import InvoiceView
from billing_core.payments import status_changes
from billing_core.web.api import lacking
from billing_core.web.api.access import CurrentCaller, Reading, Transaction
from billing_core.web.api.exact_json import ExactJSON, encode
from billing_core.web.api.invoices import repeated_payments, responses
from billing_core.web.api.invoices.requests import InvoiceChanges, NewInvoice, documented_field, with_documented_fields
from billing_core.web.api.paging import next_page
from billing_core.web.api.routing import router as described_router
from billing_core.web.requests.values import IN_DIGITS

router = described_router(prefix="/api/invoices", tags=["Invoices"])

DEFAULT_LIMIT: Final = 50
MOST_AT_ONCE: Final = 100
_JSON = "application/json"

InvoiceId = Annotated[str, Path(alias="id", description="The invoice's id", examples=["inv_xyz789"])]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="Only while the invoice's `ETag` is this one")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="304 while the `ETag` is this one")]


@router.post(
    "", status_code=201, response_model=responses.Invoice, responses=responses.CREATED, summary="Create an invoice"
)
def create_invoice(caller: CurrentCaller, session: Transaction, given: NewInvoice) -> Response:
    """A numbered draft. The customer is found by the e-mail address within the business, or added."""
    now = utc_now()
    with _documented_refusals():
        invoice = by_email.create(session, caller.actor, given.addressed(), now=now)
    answer = _answer(session, caller.actor, invoice.public_id, now=now, status=201)
    answer.headers["Location"] = f"/api/invoices/{invoice.public_id}"
    return answer


@router.get("", response_model=responses.InvoiceList, responses=responses.LISTED, summary="List a business's invoices")
def list_invoices(
    request: Request,
    caller: CurrentCaller,
    business_id: Annotated[str, Query(description="The business, from `GET /api/businesses`", examples=["biz_abc123"])],
    status: Annotated[InvoiceStatus | None, Query(description="Only those of this status")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most"), IN_DIGITS] = DEFAULT_LIMIT,
    starting_after: Annotated[str, Query(description="The `invoice_id` that the page before ended with")] = "",
) -> Response:
    """The newest first; the `Link` header leads to those that follow."""
    # Opened here: as a dependency it would change threads twice, which takes longer than the list.
    with runtime.sessions()() as session:
        business = issuers.one(session, caller.actor, business_id)
        today = day_in(business.time_zone, utc_now())
        rows = keyset.page(
            session, caller.actor, business.id, status=status, after=starting_after, today=today, limit=limit + 1
        )
    shown = rows[:limit]
    answer: responses.InvoiceList = {
        "invoices": [responses.listed(row, business_id) for row in shown],
        "count": len(shown),
        "business_id": business_id,
        "filter": {"status": status, "limit": limit},
    }
    return ExactJSON(answer, headers=next_page(request, shown[-1].public_id) if len(rows) > limit else None)


@router.get(
    "/{id}", response_model=responses.Invoice, responses=responses.READ, summary="Get an invoice with its lines"
)
def get_invoice(
    caller: CurrentCaller, session: Reading, invoice_id: InvoiceId, if_none_match: IfNoneMatch = None
) -> Response:
    """One invoice; its `ETag` makes later changes safe."""
    answer = _answer(session, caller.actor, invoice_id, now=utc_now())
    if if_none_match is not None and _names(if_none_match, answer.headers["ETag"], weakly=True):
        return Response(status_code=304, headers={"ETag": answer.headers["ETag"]})
    return answer


@router.patch("/{id}", response_model=responses.Invoice, responses=responses.CHANGED, summary="Update an invoice")
def update_invoice(
    caller: CurrentCaller,
    session: Transaction,
    invoice_id: InvoiceId,
    changes: InvoiceChanges,
    if_match: IfMatch = None,
) -> Response:
    """Change details before payment, then the status: all of it or nothing."""
    now, status = utc_now(), changes.new_status()
    invoice = one(session, caller.actor, invoice_id)
    today = _today(session, invoice, now)
    if if_match is not None:
        status_changes.locked(session, caller.actor, invoice.id, status)
        _require_match(session, caller.actor, invoice_id, if_match, now=now)
    with _documented_refusals():
        paid = status_changes.update(session, caller.actor, invoice.id, changes.details(), status, now=now, today=today)
    answer = _answer(session, caller.actor, invoice_id, now=now)
    answer.headers.update(repeated_payments.headers(session, caller.actor, paid))
    return answer


@router.delete(
    "/{id}", response_model=responses.InvoiceCancelled, responses=responses.ENDED, summary="Cancel an invoice"
)
def cancel_invoice(
    caller: CurrentCaller, session: Transaction, invoice_id: InvoiceId, if_match: IfMatch = None
) -> Response:
    """Nothing is due any more; the invoice keeps its number and document. A paid one is refunded instead."""
    now = utc_now()
    invoice = one(session, caller.actor, invoice_id)
    if if_match is not None:
        status_changes.locked(session, caller.actor, invoice.id)
        _require_match(session, caller.actor, invoice_id, if_match, now=now)
    status_changes.cancel(session, caller.actor, invoice.id, now=now, today=_today(session, invoice, now))
    answer: responses.InvoiceCancelled = {
        "message": "Invoice cancelled successfully",
        "invoice_id": invoice.public_id,
    }
    return ExactJSON(answer)


def one(session: Session, actor: Actor, invoice_id: str) -> InvoiceView:
    """The invoice with this public id; programs know no other."""
    if not invoice_id.startswith("inv_"):
        raise NotFound(f"There is no invoice {invoice_id}")
    return queries.one(session, actor, invoice_id)


def _answer(session: Session, actor: Actor, invoice_id: str, *, now: datetime, status: int = 200) -> Response:
    """The invoice as it is now, with its entity tag."""
    invoice = one(session, actor, invoice_id)
    body, tag = _encoded(session, invoice, now)
    headers = {"ETag": tag} | (lacking.headers(session, actor, invoice.id) if invoice.sent_at else {})
    return Response(body, status, headers=headers, media_type=_JSON)


def published(session: Session, invoice: InvoiceView, *, now: datetime) -> responses.Invoice:
    """The invoice as programs read it, with the status that it has on its business's day."""
    business = businesses.one(session, invoice.business_id)
    today = day_in(business.time_zone, now)
    return responses.invoice(invoice, queries.lines(session, invoice.id), business.public_id, today)


def _encoded(session: Session, invoice: InvoiceView, now: datetime) -> tuple[bytes, str]:
    body = encode(published(session, invoice, now=now))
    # The version alone would not do: an invoice becomes overdue, and a link ends, without a new version.
    return body, f'"{invoice.version}-{hashlib.sha256(body).hexdigest()[:16]}"'


def _require_match(session: Session, actor: Actor, invoice_id: str, if_match: str, *, now: datetime) -> None:
    """412 where the invoice has changed since the caller read it. Its row is locked, so that nobody changes it now."""
    _, tag = _encoded(session, one(session, actor, invoice_id), now)
    if not _names(if_match, tag):
        raise HTTPException(412, "The invoice has changed since you read it. Read it again.")


def _names(header: str, tag: str, *, weakly: bool = False) -> bool:
    """Is the tag among those of the header? (RFC 9110, 13.1)"""
    tags = [part.strip() for part in header.split(",")]
    if weakly:
        tags = [part.removeprefix("W/") for part in tags]
    return "*" in tags or tag in tags


def _today(session: Session, invoice: InvoiceView, now: datetime) -> date:
    return day_in(businesses.one(session, invoice.business_id).time_zone, now)


@contextmanager
def _documented_refusals() -> Iterator[None]:
    try:
        yield
    except Invalid as refusal:
        raise with_documented_fields(refusal, documented_field) from None
