"""What is missing on stored invoices: on drafts before they are sent, and on what was sent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.legal_content.laws import Particular
from billing_core.invoices.legal_content.missing import Missing, Said, missing
from billing_core.invoices.legal_content.supply_dates import says_when
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent, InvoiceLineItem
from billing_core.money import Money

_STATED: Final = ("customer_name", "customer_address", "customer_tax_id", "zero_tax_reason")
_COLUMNS: Final = [getattr(Invoice, name) for name in _STATED]


def of_many(session: Session, actor: Actor, invoice_ids: Sequence[int]) -> dict[int, list[Missing]]:
    """What each of these invoices lacks, by its id; those that lack nothing are left out."""
    actor.require(Permission.INVOICE_READ)
    these = (among(Invoice.id, invoice_ids), visible_to(actor, Invoice.customer_id))
    columns = (
        Invoice.id,
        Invoice.business_id,
        Invoice.issuer,
        Invoice.currency,
        Invoice.total_minor,
        Invoice.notes,
        *_COLUMNS,
    )
    rows = session.execute(
        select(*columns, Customer.country, Invoice.customer_country, Invoice.sent_at)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(*these)
        .order_by(Invoice.id)
    ).all()
    ours = session.scalars(select(Business).where(Business.id.in_({row.business_id for row in rows})))
    businesses = {business.id: business for business in ours}
    lines = _lines(session, [row.id for row in rows])
    lacking = {}
    for row in rows:
        said = Said(
            issuer=_issuer(row.issuer, businesses[row.business_id]),
            total=Money(row.total_minor, row.currency),
            rates=frozenset(line.tax_rate for line in lines[row.id]),
            customer_country=row.customer_country if row.sent_at else row.country,
            says_when=_says_when(lines[row.id], row.notes),
            **{name: getattr(row, name) for name in _STATED},
        )
        if found := missing(said):
            lacking[row.id] = found
    return lacking


def of_sending(
    invoice: Invoice, issuer: Mapping[str, Any], lines: Sequence[DraftLine], customer_country: str
) -> dict[str, list[str]]:
    """For the timeline and the audit log: what an invoice lacks that is about to be sent, whoever sends it."""
    said = Said(
        issuer=issuers.frozen(issuer),
        total=invoice.total,
        rates=frozenset(line.tax_rate for line in lines),
        customer_country=customer_country,
        says_when=_says_when(lines, invoice.notes),
        **{name: getattr(invoice, name) for name in _STATED},
    )
    found = [one.particular.value for one in missing(said)]
    return {"missing": found} if found else {}


def sent_without(session: Session, invoice_id: int) -> list[Particular]:
    """What it lacked when it was sent, as its timeline has it. The caller has checked that the reader may see it."""
    sent = select(InvoiceEvent.data).where(InvoiceEvent.invoice_id == invoice_id, InvoiceEvent.kind == EventKind.SENT)
    data = session.scalars(sent.order_by(InvoiceEvent.id.desc()).limit(1)).one_or_none() or {}
    return [Particular(one) for one in data.get("missing", ())]


def _lines(session: Session, invoice_ids: Sequence[int]) -> dict[int, list[Any]]:
    """What the check looks at of the lines of each invoice; of those alike one."""
    lines: dict[int, list[Any]] = {invoice_id: [] for invoice_id in invoice_ids}
    columns = [getattr(InvoiceLineItem, name) for name in ("invoice_id", "tax_rate", "report_id", "usage_line_id")]
    statement = select(*columns, InvoiceLineItem.description).where(among(InvoiceLineItem.invoice_id, invoice_ids))
    for line in session.execute(statement.distinct()):
        lines[line.invoice_id].append(line)
    return lines


def _says_when(lines: Iterable[Any], notes: str) -> bool:
    """``lines`` are stored rows or lines of a draft. Those of reports and usage bill days that their words name."""
    return says_when(((one.description, (one.report_id or one.usage_line_id) is not None) for one in lines), notes)


def _issuer(facts: Mapping[str, Any] | None, business: Business) -> issuers.Issuer:
    """As frozen into the invoice; what was sent before the country was frozen has the one of its business."""
    if facts is None:
        return issuers.of_business(business)
    return issuers.frozen({"country": business.seat, **facts})
