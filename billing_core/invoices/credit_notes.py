"""Credit notes: crediting part or all of an invoice, with a document and a number of its own.

The credited amount is spread over the invoice's line types and tax rates, so that revenue and tax are lowered where
they were posted. The last note credits what the others left, to the minor unit. Or lines are chosen, and so much of the
quantity of each is credited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.businesses.number_series import SeriesKind
from billing_core.customers.queries import visible_to
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, numbering, queries
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.content import line_credits
from billing_core.invoices.content.line_credits import Creditable, LinePart
from billing_core.invoices.content.totals import WHOLE, Share
from billing_core.invoices.models import CreditNote, CreditNoteLine, EventKind, Invoice, InvoiceLineItem, LineType
from billing_core.invoices.rows import InvoiceView
from billing_core.languages.formats import writing
from billing_core.ledger import queries as balances
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side
from billing_core.money import PERCENT_PLACES, Money, nearest, scaled, split
from billing_core.text import reason_of


@dataclass(frozen=True, slots=True)
class CreditNoteRow:
    id: int
    public_id: str
    business_id: int
    customer_id: int
    invoice_id: int
    number: str
    currency: str
    issued_on: date
    reason: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    refund_minor: int
    created_by: str
    withdrawn_on: date | None


COLUMNS = tuple(getattr(CreditNote, name) for name in CreditNoteRow.__dataclass_fields__)


def issue(
    session: Session,
    actor: Actor,
    invoice_id: int,
    *,
    reason: str,
    issued_on: date,
    today: date,
    now: datetime,
    amount_minor: int | None = None,
    parts: Sequence[Share] | None = None,
    lines: Mapping[int, Decimal] | None = None,
    early_payment: bool = False,
) -> CreditNote:
    """Credit ``amount_minor`` (tax included; None: all) of what is due on an open invoice: these ``parts`` of it, or,
    with None, the same share of all. Or so much of the quantity of its ``lines``, by their ids, whatever that comes to.
    ``early_payment``: it is what paying early takes off.

    Dated between the invoice and today, so that as much was due from that day on; for an invoice that is dated ahead,
    on its own day.
    """
    actor.require(Permission.PAYMENT_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if not invoice.due_minor:
        raise Conflict("Nothing is due on this invoice: refund what was paid instead")
    amount = invoice.due_minor if amount_minor is None else amount_minor
    if lines is not None:
        parts = of_lines(session, invoice, lines)
        amount = total_of(parts)
    if not 0 < amount <= invoice.due_minor:
        if lines is not None:
            refuse_beyond(amount, invoice.due_minor, invoice.currency)
        limit = f"must be more than 0 and at most {invoice.amount_due}"
        raise Invalid(f"{invoice.amount_due} is due on this invoice", fields={"amount": limit})
    if issued_on > max(today, invoice.issued_on):
        raise Invalid("A credit note cannot lie in the future", fields={"issued_on": "lies in the future"})
    owing_from = balances.owing_from(session, {invoice.id: amount}).get(invoice.id, issued_on)
    if invoice.issued_on <= issued_on < owing_from:
        wrong = f"is before {owing_from}: less was due on the invoice until then"
        raise Invalid("A credit note cannot take off what was not due on its day", fields={"issued_on": wrong})
    note = write(
        session,
        actor,
        invoice,
        amount_minor=amount,
        parts=parts,
        reason=reason,
        issued_on=issued_on,
        kind=EntryKind.CREDIT_NOTE,
        against=[Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id)],
        early_payment=early_payment,
        now=now,
    )
    data = {"amount_minor": amount, "credit_note": note.number, "reason": note.reason}
    lifecycle.settle(session, actor, invoice, credited=amount, event=EventKind.CREDIT_NOTE, data=data, now=now)
    return note


def write(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    amount_minor: int,
    reason: str,
    issued_on: date,
    kind: EntryKind,
    against: Sequence[Side],
    now: datetime,
    refund_minor: int = 0,
    parts: Sequence[Share] | None = None,
    early_payment: bool = False,
) -> CreditNote:
    """The document and its postings; ``against`` are the credit sides that balance revenue and tax. ``parts``: what it
    credits, which add up to the amount and are left of the invoice; None: the same share of all that is left.
    """
    why = reason_of(reason)
    if issued_on < invoice.issued_on:
        raise Invalid(
            "A credit note cannot be older than its invoice", fields={"issued_on": f"is before {invoice.issued_on}"}
        )
    if parts is None:
        parts = parts_of(left(session, invoice), amount_minor, invoice.currency)
    business = session.get_one(Business, invoice.business_id)
    drawn = numbering.draw(session, business, SeriesKind.CREDIT_NOTE, issued_on)
    shares = _by_type_and_rate(parts)
    sides = [
        *(Side(Account.REVENUE, part.net_minor, part.type) for part in shares),
        *(Side(Account.TAX_PAYABLE, part.tax_minor, f"{part.rate.normalize():f}") for part in shares),
        *against,
    ]
    entry_id = ledger.post(
        session,
        actor,
        Entry(
            business_id=invoice.business_id,
            customer_id=invoice.customer_id,
            currency=invoice.currency,
            kind=kind,
            document=f"invoice:{invoice.id}",
            effective_on=issued_on,
            sides=sides,
            memo=f"credit note {drawn.number}",
        ),
        now=now,
    )
    note = CreditNote(
        business_id=invoice.business_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        number=drawn.number,
        series=drawn.series,
        sequence=drawn.sequence,
        currency=invoice.currency,
        issued_on=issued_on,
        reason=why,
        zero_tax_reason=invoice.zero_tax_reason,
        subtotal_minor=sum(part.net_minor for part in parts),
        tax_minor=sum(part.tax_minor for part in parts),
        total_minor=amount_minor,
        refund_minor=refund_minor,
        early_payment=early_payment,
        entry_id=entry_id,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(note)
    session.flush()
    session.add_all(
        CreditNoteLine(
            credit_note_id=note.id,
            position=position,
            type=LineType(part.type),
            tax_rate=part.rate,
            amount_minor=part.net_minor,
            tax_minor=part.tax_minor,
            **_said(part, invoice, why),
        )
        for position, part in enumerate(parts, start=1)
    )
    credited = session.scalar(select(func.sum(CreditNote.total_minor)).where(*_standing(invoice)))
    if credited == invoice.total_minor:
        billed_orders.release(session, [invoice.id], now=now)
    audit.record(
        session,
        actor,
        "credit_note.issue",
        ("invoice", invoice.id),
        label=f"{note.number} for {invoice.number}",
        after={"number": note.number, "total_minor": amount_minor, "currency": note.currency, "reason": why},
        now=now,
    )
    return note


def _standing(invoice: Invoice | InvoiceView) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return CreditNote.invoice_id == invoice.id, CreditNote.withdrawn_at.is_(None)


def _said(part: Share, invoice: Invoice, why: str) -> dict[str, Any]:
    if isinstance(part, LinePart):
        of_line = {"invoice_line_id": part.line_id, "quantity": part.quantity, "unit_price": part.unit_price}
        return {"description": part.description, **of_line}
    return {"description": writing(invoice.language).gettext("Invoice") + f" {invoice.number}: {why}"}


def _by_type_and_rate(parts: Iterable[Share]) -> list[Share]:
    found: dict[tuple[str, Decimal], Share] = {}
    for part in parts:
        cell = (part.type, part.rate)
        before = found.get(cell, Share(*cell, 0, 0))
        found[cell] = Share(*cell, before.net_minor + part.net_minor, before.tax_minor + part.tax_minor)
    return list(found.values())


def creditable(session: Session, actor: Actor, invoice_id: int) -> list[Creditable]:
    """The lines of an invoice in their order, with what was credited of each; NotFound as in ``queries.one``."""
    actor.require(Permission.INVOICE_READ)
    return _creditable(session, queries.one(session, actor, invoice_id))


def of_lines(session: Session, invoice: Invoice | InvoiceView, lines: Mapping[int, Decimal]) -> list[LinePart]:
    """What crediting so much of these lines, by their ids, would take back of the invoice; Invalid where it cannot."""
    return line_credits.parts(
        _creditable(session, invoice),
        lines,
        left(session, invoice),
        invoice.currency,
        prices_include_tax=invoice.prices_include_tax,
    )


def total_of(parts: Iterable[Share]) -> int:
    """With tax, in minor units."""
    return sum(part.net_minor + part.tax_minor for part in parts)


def refuse_beyond(amount_minor: int, most_minor: int, currency: str) -> None:
    """Invalid where chosen lines come to nothing, or to more than can be taken off."""
    if not 0 < amount_minor <= most_minor:
        chosen, most = Money(amount_minor, currency), Money(most_minor, currency)
        reason = f"come to {chosen}, where more than 0 and at most {most} can be taken off"
        raise Invalid(f"The chosen lines {reason}", fields={"lines": reason})


def _creditable(session: Session, invoice: Invoice | InvoiceView) -> list[Creditable]:
    content = queries.content(session, invoice)
    of_invoice = select(InvoiceLineItem.id).where(InvoiceLineItem.invoice_id == invoice.id)
    ids = session.scalars(of_invoice.order_by(InvoiceLineItem.position)).all()
    notes = (
        select(CreditNoteLine.invoice_line_id, func.sum(CreditNoteLine.quantity))
        .join(CreditNote, CreditNote.id == CreditNoteLine.credit_note_id)
        .where(*_standing(invoice), CreditNoteLine.invoice_line_id.is_not(None))
        .group_by(CreditNoteLine.invoice_line_id)
    )
    credited: dict[Any, Any] = dict(session.execute(notes).all())
    lines = [line.computed for line in content.lines]
    nets = line_credits.worth(lines, content.totals())
    return [
        Creditable(line_id, said.description, line, credited.get(line_id, Decimal(0)), net)
        for line_id, said, line, net in zip(ids, content.lines, lines, nets, strict=True)
    ]


def parts_of(shares: Sequence[Share], amount_minor: int, currency: str) -> list[Share]:
    """``amount_minor``, tax included, spread over the shares in proportion. At each rate the tax is that of the net
    amount, rounded once, wherever such a net amount is there.
    """
    gross = [share.net_minor + share.tax_minor for share in shares]
    whole = sum(gross)
    if amount_minor == whole:
        return [share for share in shares if share.net_minor or share.tax_minor]
    if amount_minor > whole:
        raise Conflict(f"Only {Money(whole, currency)} of this invoice is left to take back")
    spread = split(amount_minor, [amount_minor * one for one in gross], whole)
    parts: dict[int, Share] = {}
    for rate in {share.rate for share in shares}:
        members = [(at, part) for at, part in enumerate(spread) if part and shares[at].rate == rate]
        with_tax = WHOLE + scaled(rate, PERCENT_PLACES)
        net_minor = nearest(sum(part for _, part in members) * WHOLE, with_tax)
        nets = split(net_minor, [part * WHOLE for _, part in members], with_tax)
        for (at, part), exact in zip(members, nets, strict=True):
            share = shares[at]
            # Of a share that was credited piece by piece no more net, and no more tax, than is left of it.
            least, most = sorted((part - share.tax_minor, share.net_minor))
            net = min(max(exact, least), most)
            parts[at] = Share(share.type, rate, net, part - net)
    return [parts[at] for at in sorted(parts)]


def of_invoice(session: Session, actor: Actor, invoice_id: int) -> list[CreditNoteRow]:
    """The credit notes of one invoice, oldest first."""
    actor.require(Permission.INVOICE_READ)
    statement = select(*COLUMNS).where(CreditNote.invoice_id == invoice_id, visible_to(actor, CreditNote.customer_id))
    return [CreditNoteRow(*row) for row in session.execute(statement.order_by(CreditNote.id))]


def of_customer(
    session: Session, actor: Actor, customer_id: int, *, limit: int = 50, offset: int = 0
) -> list[CreditNoteRow]:
    """One page of a customer's credit notes, newest first."""
    actor.require(Permission.INVOICE_READ)
    statement = (
        select(*COLUMNS)
        .where(CreditNote.customer_id == customer_id, visible_to(actor, CreditNote.customer_id))
        .order_by(CreditNote.issued_on.desc(), CreditNote.id.desc())
    )
    return [CreditNoteRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def count_of_customer(session: Session, actor: Actor, customer_id: int) -> int:
    actor.require(Permission.INVOICE_READ)
    of_customer = (CreditNote.customer_id == customer_id, visible_to(actor, CreditNote.customer_id))
    return session.scalar(select(func.count()).select_from(CreditNote).where(*of_customer)) or 0


def one(session: Session, actor: Actor, credit_note_id: int) -> CreditNoteRow:
    """A credit note; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.INVOICE_READ)
    row = session.execute(
        select(*COLUMNS).where(CreditNote.id == credit_note_id, visible_to(actor, CreditNote.customer_id))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no credit note {credit_note_id}")
    return CreditNoteRow(*row)


def left(session: Session, invoice: Invoice | InvoiceView) -> list[Share]:
    """The part of the invoice that no credit note has credited yet, by line type and tax rate."""
    taken: dict[tuple[str, Decimal], tuple[int, int]] = {
        (kind.value, rate): (int(net), int(tax))
        for kind, rate, net, tax in session.execute(
            select(
                CreditNoteLine.type,
                CreditNoteLine.tax_rate,
                func.sum(CreditNoteLine.amount_minor),
                func.sum(CreditNoteLine.tax_minor),
            )
            .join(CreditNote, CreditNote.id == CreditNoteLine.credit_note_id)
            .where(*_standing(invoice))
            .group_by(CreditNoteLine.type, CreditNoteLine.tax_rate)
        )
    }
    left = []
    for share in queries.totals_of(session, invoice).shares:
        net, tax = taken.get((share.type, share.rate), (0, 0))
        left.append(Share(share.type, share.rate, share.net_minor - net, share.tax_minor - tax))
    return _with_cents_where_something_is_left(left)


def _with_cents_where_something_is_left(shares: Sequence[Share]) -> list[Share]:
    """What a note takes back is rounded by rate: cents that are left at a type of which nothing else is belong to the
    other types at that rate.
    """
    found = list(shares)
    for place, share in enumerate(shares):
        if share.net_minor and share.net_minor + share.tax_minor:
            continue
        at_rate = [other for other, one in enumerate(shares) if one.rate == share.rate]
        to = next((other for other in at_rate if shares[other].net_minor + shares[other].tax_minor), at_rate[0])
        if to != place:
            found[place] = Share(share.type, share.rate, 0, 0)
            kept = found[to]
            found[to] = Share(kept.type, kept.rate, kept.net_minor + share.net_minor, kept.tax_minor + share.tax_minor)
    return found
