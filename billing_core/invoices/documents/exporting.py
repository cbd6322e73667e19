"""Invoices and credit notes as PDF files: single, or several as a ZIP that is streamed."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Day
from billing_core.errors import Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes, queries
from billing_core.invoices.documents import document
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.documents.pdf_credit_note import credit_note_pdf
from billing_core.invoices.models import Invoice
from billing_core.invoices.queries import InvoiceFilter
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format
from billing_core.reports.exports.zip import zipped

# Seconds of work; more would occupy a connection for too long.
MOST_IN_ONE_ZIP = 500


def invoice(session: Session, actor: Actor, invoice_id: int | str, *, address: str | None = None) -> Download:
    """One invoice or draft. ``address`` is the product's own, for the link to the customer's page."""
    row = queries.one(session, actor, invoice_id)
    content = invoice_pdf(document.of_invoice(session, row.id, address=address))
    return _pdf(_name(row.number, row.id), content)


def credit_note(session: Session, actor: Actor, credit_note_id: int) -> Download:
    row = credit_notes.one(session, actor, credit_note_id)
    return _pdf(_name(row.number, row.id), credit_note_pdf(document.of_credit_note(session, row.id)))


def archive(session: Session, actor: Actor, invoice_ids: Sequence[int], *, address: str | None = None) -> Download:
    """These invoices as one ZIP, in the requested order; refused as a whole when one of them cannot be seen."""
    actor.require(Permission.INVOICE_READ)
    actor.require(Permission.EXPORT)
    chosen = list(dict.fromkeys(invoice_ids))
    if not 0 < len(chosen) <= MOST_IN_ONE_ZIP:
        raise Invalid(
            f"Choose between 1 and {MOST_IN_ONE_ZIP} invoices for one ZIP", fields={"ids": "too many, or none at all"}
        )
    statement = select(Invoice.id, Invoice.number, Invoice.customer_name, Invoice.updated_at)
    rows = session.execute(statement.where(among(Invoice.id, chosen), visible_to(actor, Invoice.customer_id)))
    by_id = {row.id: row for row in rows}
    if missing := [invoice_id for invoice_id in chosen if invoice_id not in by_id]:
        raise NotFound(f"There is no invoice {missing[0]}")
    files = _files(session, [by_id[invoice_id] for invoice_id in chosen], address)
    return Download("invoices.zip", "application/zip", zipped(files))


def archive_of_all(
    session: Session, actor: Actor, filters: InvoiceFilter, *, today: Day, address: str | None = None
) -> Download:
    """All matching invoices as one ZIP; Invalid where there are too many."""
    actor.require(Permission.EXPORT)
    ids = queries.ids(session, actor, filters, today=today, limit=MOST_IN_ONE_ZIP + 1)
    return archive(session, actor, ids, address=address)


def _files(
    session: Session, rows: Sequence[Row[int, str | None, str, datetime]], address: str | None
) -> Iterator[tuple[str, datetime, Iterator[bytes]]]:
    """Each file is made when its turn comes, and released before the next."""
    names: set[str] = set()
    for row in rows:
        customer = re.sub(r"\W+", "-", row.customer_name).strip("-")[:60]
        name = f"{_name(row.number, row.id)}_{customer}"
        if name in names:
            # Two of our businesses may use the same number.
            name = f"{name}_{row.id}"
        names.add(name)
        yield f"{name}.pdf", row.updated_at, _made(session, row.id, address)
        session.expunge_all()


def _made(session: Session, invoice_id: int, address: str | None) -> Iterator[bytes]:
    yield invoice_pdf(document.of_invoice(session, invoice_id, address=address))


def _name(number: str | None, identity: int) -> str:
    return re.sub(r"[^\w.-]+", "-", number) if number else f"draft-{identity}"


def _pdf(name: str, content: bytes) -> Download:
    return Download(f"{name}.pdf", MEDIA_TYPES[Format.PDF], iter((content,)))
