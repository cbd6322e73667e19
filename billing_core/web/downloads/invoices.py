"""Invoices, credit notes and payments as files, streamed under the permissions of the signed-in session."""

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from billing_core.businesses import queries as businesses
from billing_core.dates import Day, utc_now
from billing_core.invoices.documents import exporting
from billing_core.invoices.lists import credited, lines, taxes, xlsx
from billing_core.invoices.lists import csv as lists_csv
from billing_core.payments import allocated
from billing_core.payments import exporting as payments
from billing_core.settings import settings
from billing_core.web.access import CurrentActor
from billing_core.web.downloads import parameters
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import CreditNotes, ForExcel, Invoices, ListedPayments, Payments, split_name
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


@router.get("/invoices/{name}")
def invoice(name: str, actor: CurrentActor, inline: bool = False) -> StreamingResponse:
    """``15.pdf``, or the public id with the same ending; ``inline``: shown in the page instead of saved."""
    invoice_id, _ = split_name(name, r"[0-9A-Za-z_]{1,40}", "invoice", ending="pdf")
    return streamed(
        lambda session: exporting.invoice(session, actor, invoice_id, address=settings().address), inline=inline
    )


@router.get("/credit-notes/{name}")
def credit_note(name: str, actor: CurrentActor, inline: bool = False) -> StreamingResponse:
    """``3.pdf``."""
    credit_note_id, _ = split_name(name, r"[0-9]{1,9}", "credit note", ending="pdf")
    return streamed(lambda session: exporting.credit_note(session, actor, int(credit_note_id)), inline=inline)


@router.get("/invoices.csv")
def list_as_csv(actor: CurrentActor, filters: Invoices, excel: ForExcel = False) -> StreamingResponse:
    """The list of invoices with the page's filters."""
    return streamed(lambda session: lists_csv.as_csv(session, actor, filters, today=_today(session), for_excel=excel))


@router.get("/invoices.xlsx")
def list_as_workbook(actor: CurrentActor, filters: Invoices) -> StreamingResponse:
    return streamed(lambda session: xlsx.workbook(session, actor, filters, today=_today(session), now=utc_now()))


@router.get("/invoices.zip")
def documents(actor: CurrentActor, filters: Invoices, ids: str | None = None) -> StreamingResponse:
    """The PDFs of these invoices, by their ids with commas between them; without ids, of all that match."""
    address = settings().address
    if ids is None:
        return streamed(
            lambda session: exporting.archive_of_all(session, actor, filters, today=_today(session), address=address)
        )
    invoice_ids = parameters.ids(ids, "invoices")
    return streamed(lambda session: exporting.archive(session, actor, invoice_ids, address=address))


@router.get("/invoice-lines.csv")
def lines_as_csv(actor: CurrentActor, filters: Invoices, excel: ForExcel = False) -> StreamingResponse:
    """The lines of the invoices that the list has."""
    return streamed(lambda session: lines.as_csv(session, actor, filters, today=_today(session), for_excel=excel))


@router.get("/invoice-lines.xlsx")
def lines_as_workbook(actor: CurrentActor, filters: Invoices) -> StreamingResponse:
    return streamed(lambda session: lines.workbook(session, actor, filters, today=_today(session), now=utc_now()))


@router.get("/invoice-taxes.csv")
def taxes_as_csv(actor: CurrentActor, filters: Invoices, excel: ForExcel = False) -> StreamingResponse:
    """What the invoices that the list has come to at each tax rate; its workbook has the same on a sheet."""
    return streamed(lambda session: taxes.as_csv(session, actor, filters, today=_today(session), for_excel=excel))


@router.get("/credit-notes.csv")
def credit_notes_as_csv(actor: CurrentActor, filters: CreditNotes, excel: ForExcel = False) -> StreamingResponse:
    """Credit notes by their own days, with their invoices, a row for each type and rate."""
    return streamed(lambda session: credited.as_csv(session, actor, filters, for_excel=excel))


@router.get("/credit-notes.xlsx")
def credit_notes_as_workbook(actor: CurrentActor, filters: CreditNotes) -> StreamingResponse:
    return streamed(lambda session: credited.workbook(session, actor, filters, now=utc_now()))


@router.get("/payment-allocations.csv")
def allocations_as_csv(actor: CurrentActor, filters: Payments, excel: ForExcel = False) -> StreamingResponse:
    """The payments of the list with what they paid, and what went back."""
    return streamed(lambda session: allocated.as_csv(session, actor, filters, for_excel=excel))


@router.get("/payment-allocations.xlsx")
def allocations_as_workbook(actor: CurrentActor, filters: Payments) -> StreamingResponse:
    return streamed(lambda session: allocated.workbook(session, actor, filters, now=utc_now()))


@router.get("/payments.csv")
def list_of_payments(actor: CurrentActor, filters: ListedPayments, excel: ForExcel = False) -> StreamingResponse:
    """The list of payments with the page's filters."""
    return streamed(lambda session: payments.as_csv(session, actor, filters, for_excel=excel))


def _today(session: Session) -> Day:
    return businesses.days(session, now=utc_now())
