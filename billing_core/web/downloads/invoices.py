"""Invoices, credit notes and payments as files, streamed under the permissions of the signed-in session."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core.businesses.queries import default_business
from billing_core.dates import day_in, utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.invoices.documents import exporting
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.lists import csv as lists_csv
from billing_core.invoices.lists import xlsx
from billing_core.invoices.queries import InvoiceFilter
from billing_core.payments import exporting as payments
from billing_core.payments.queries import PaymentFilter
from billing_core.settings import settings
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.reports import ForExcel, Id, Text, numbers
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads")

Amount = Annotated[Decimal | None, Query(ge=0, le=10**14)]


@router.get("/invoices/{name}")
def invoice(name: str, actor: CurrentActor, inline: bool = False) -> StreamingResponse:
    """``15.pdf``, or the public id with the same ending; ``inline``: shown in the page instead of saved."""
    invoice_id = _named(name, r"[0-9A-Za-z_]{1,40}", "invoice")
    return streamed(
        lambda session: exporting.invoice(session, actor, invoice_id, address=settings().address), inline=inline
    )


@router.get("/credit-notes/{name}")
def credit_note(name: str, actor: CurrentActor, inline: bool = False) -> StreamingResponse:
    """``3.pdf``."""
    credit_note_id = int(_named(name, r"[0-9]{1,9}", "credit note"))
    return streamed(lambda session: exporting.credit_note(session, actor, credit_note_id), inline=inline)


def wanted_invoices(
    status: Annotated[tuple[InvoiceStatus, ...], Query()] = (),
    customer_id: Id | None = None,
    business_id: Id | None = None,
    issued_from: date | None = None,
    issued_to: date | None = None,
    due_from: date | None = None,
    due_to: date | None = None,
    currency: Text = "",
    smallest: Amount = None,
    largest: Amount = None,
    text: Text = "",
    order_by: Text = "-issued_on",
) -> InvoiceFilter:
    """The page's filters, under the names that its links give them; ``status`` may come several times."""
    return InvoiceFilter(
        status=status,
        customer_id=customer_id,
        business_id=business_id,
        issued_from=issued_from,
        issued_to=issued_to,
        due_from=due_from,
        due_to=due_to,
        currency=currency,
        smallest=smallest,
        largest=largest,
        text=text,
        order_by=order_by,
    )


WantedInvoices = Annotated[InvoiceFilter, Depends(wanted_invoices)]


@router.get("/invoices.csv")
def list_as_csv(actor: CurrentActor, wanted: WantedInvoices, excel: ForExcel = False) -> StreamingResponse:
    """The list of invoices with the page's filters."""
    return streamed(lambda session: lists_csv.as_csv(session, actor, wanted, today=_today(session), for_excel=excel))


@router.get("/invoices.xlsx")
def list_as_workbook(actor: CurrentActor, wanted: WantedInvoices) -> StreamingResponse:
    return streamed(lambda session: xlsx.workbook(session, actor, wanted, today=_today(session), now=utc_now()))


@router.get("/invoices.zip")
def documents(actor: CurrentActor, wanted: WantedInvoices, ids: str | None = None) -> StreamingResponse:
    """The PDFs of these invoices, by their ids with commas between them; without ids, of all that match."""
    address = settings().address
    if ids is None:
        return streamed(
            lambda session: exporting.archive_of_all(session, actor, wanted, today=_today(session), address=address)
        )
    chosen = numbers(ids, "invoices")
    return streamed(lambda session: exporting.archive(session, actor, chosen, address=address))


def wanted_payments(
    customer_id: Id | None = None,
    business_id: Id | None = None,
    received_from: date | None = None,
    received_to: date | None = None,
    currency: Text = "",
    method: Text = "",
    text: Text = "",
    undone: bool | None = None,
    order_by: Text = "-received_on",
) -> PaymentFilter:
    return PaymentFilter(
        customer_id=customer_id,
        business_id=business_id,
        received_from=received_from,
        received_to=received_to,
        currency=currency,
        method=method,
        text=text,
        undone=undone,
        order_by=order_by,
    )


@router.get("/payments.csv")
def list_of_payments(
    actor: CurrentActor, wanted: Annotated[PaymentFilter, Depends(wanted_payments)], excel: ForExcel = False
) -> StreamingResponse:
    """The list of payments with the page's filters."""
    return streamed(lambda session: payments.as_csv(session, actor, wanted, for_excel=excel))


def _named(name: str, identity: str, noun: str) -> str:
    """What comes before ``.pdf``: NotFound where nothing could have that name, Invalid for another ending."""
    found, _, ending = name.partition(".")
    if not re.fullmatch(identity, found):
        raise NotFound(f"There is no such {noun}")
    if ending != "pdf":
        raise Invalid(f"Invalid format: {ending}", fields={"format": "pdf"})
    return found


def _today(session: Session) -> date:
    return day_in(default_business(session).time_zone, utc_now())
