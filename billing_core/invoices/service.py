"""Drafting and sending invoices: drafts are created, edited, copied, discarded, sent; details change until paid.

What happens to an open invoice afterwards is in ``after_sending``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.businesses.models import Business
from billing_core.businesses.number_series import SeriesKind
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.customers.standing import inactive, refuse_inactive
from billing_core.database.known import known
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import issuers, lifecycle, numbering, outgoing_events, payment_links, postings, queries
from billing_core.invoices.content import copying, usage_lines, writing
from billing_core.invoices.content.content import Content, DraftLine, checked
from billing_core.invoices.legal_content import of_invoices
from billing_core.invoices.lifecycle import CANCELLED, DRAFT, OPEN, PAID, Change, named
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent
from billing_core.invoices.numbering import Drawn
from billing_core.payment_terms.reading import understood

# Editing a draft that saves itself adds one event, not hundreds.
ONE_EDIT: Final = timedelta(minutes=10)

# Built once: building a statement takes as long as running it.
_CREATED = select(Invoice).where(Invoice.id == bindparam("key"))
# Their rows stay as they are until the transaction ends: nobody deactivates them meanwhile.
_BILLED = (
    select(Customer.id, Customer.country, Customer.name, Customer.active, Customer.merged_into_id)
    .where(Customer.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(read=True, key_share=True)
)
_CUSTOMERS = select(Customer).where(Customer.id.in_(bindparam("ids", expanding=True)))
_BUSINESSES = select(Business.id)
_SENDING = select(Business).where(Business.id.in_(bindparam("ids", expanding=True)))


def create(
    session: Session,
    actor: Actor,
    content: Content,
    *,
    now: datetime,
    numbered: bool = False,
    number: str | None = None,
) -> Invoice:
    """A new draft. ``numbered``: it gets its number at once; ``number``: this one, Conflict where it is used."""
    actor.require(Permission.INVOICE_WRITE)
    cleaned = checked(content)
    _refuse_unknown(session, actor, [cleaned])
    drawn = None
    if number is not None or numbered:
        business = session.get_one(Business, cleaned.business_id)
        drawn = (
            numbering.draw(session, business, SeriesKind.INVOICE, cleaned.issued_on)
            if number is None
            else numbering.claim(session, business, SeriesKind.INVOICE, number, cleaned.issued_on)
        )
    (invoice_id,) = _create(session, actor, [cleaned], now=now, drawn=drawn)
    return session.scalars(_CREATED, {"key": invoice_id}).one()


def create_many(
    session: Session, actor: Actor, contents: Sequence[Content], *, again_reason: str = "", now: datetime
) -> list[int]:
    """New drafts in a few statements, all or none; their ids in the order of the contents. ``again_reason``: why they
    may bill orders that are billed already.
    """
    actor.require(Permission.INVOICE_WRITE)
    cleaned = [checked(content) for content in contents]
    _refuse_unknown(session, actor, cleaned)
    return _create(session, actor, cleaned, again_reason=again_reason, now=now)


def edit(
    session: Session, actor: Actor, invoice_id: int, content: Content, *, drawn_from: int, now: datetime
) -> Invoice:
    """Save a draft's content. ``drawn_from`` is the version that the editor showed.

    Nothing is written where nothing differs. Conflict where it is no longer a draft, where what it bills of usage would
    change, or where somebody has saved meanwhile: the message and ``fields`` give the present values.
    """
    actor.require(Permission.INVOICE_WRITE)
    proposed = checked(content)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is not DRAFT:
        raise Conflict(f"{named(invoice)} is not a draft any more: its lines and amounts do not change")
    current = queries.content(session, invoice)
    if proposed == current:
        return invoice
    if invoice.version != drawn_from:
        raise _stale(session, invoice, current, proposed)
    if invoice.number and proposed.business_id != invoice.business_id:
        raise Conflict(
            f"{named(invoice)} has its number from our business", fields={"business_id": "is settled by the number"}
        )
    usage_lines.refuse_change(current, proposed)
    if (proposed.customer_id, proposed.business_id) != (current.customer_id, current.business_id):
        _refuse_unknown(session, actor, [proposed])
    event = None if _edited_lately(session, actor, invoice, now) else EventKind.EDITED

    writing.replace_lines(session, invoice.id, current, proposed, now=now)
    _, facts = audit.changed(writing.header_of(current), writing.header_of(proposed))
    facts |= writing.sums(proposed.totals())
    edited = Change(invoice, facts, traced=writing.line_differences(current, proposed))
    lifecycle.change(session, actor, [edited], event=event, now=now)
    return invoice


@dataclass(frozen=True, slots=True)
class Details:
    """The details that may change after sending; None leaves them as they are."""

    customer_name: str | None = None
    customer_email: str | None = None
    further_emails: str | None = None
    cc_emails: str | None = None
    bcc_emails: str | None = None
    due_on: date | None = None
    payment_terms: str | None = None
    notes: str | None = None


def update_details(
    session: Session,
    actor: Actor,
    invoice_id: int,
    details: Details,
    *,
    now: datetime,
    today: date,
    shown: Details | None = None,
) -> Invoice:
    """Change details of a draft or an open invoice; with a later due date it is no longer overdue, and its payment link
    is valid for longer. A due date by the terms follows other terms.

    ``shown``: what the form showed; None skips the check. Conflict where somebody has saved another detail meanwhile;
    other events, such as the customer's first view, do not conflict.
    """
    actor.require(Permission.INVOICE_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state not in (DRAFT, OPEN):
        raise Conflict(f"{named(invoice)} is {invoice.state.value}: it does not change any more")
    current = queries.content(session, invoice)
    given = _given(details)
    if details.due_on is None and details.payment_terms and understood(details.payment_terms) and _is_by_terms(current):
        given["due_on"] = None
    proposed = checked(replace(current, **given))
    _, facts = audit.changed(writing.header_of(current), writing.header_of(proposed))
    if not facts:
        return invoice
    if shown is not None and any(getattr(current, name) != value for name, value in _given(shown).items()):
        raise _stale(session, invoice, current, proposed)
    fields = list(facts)
    if facts.get("due_on", date.min) >= today:
        facts |= {"marked_overdue_at": None, "marked_late_after": None, **lifecycle.begun_anew(now)}
    due_before = invoice.due_on
    changed = Change(invoice, facts, data={"fields": fields})
    lifecycle.change(session, actor, [changed], event=EventKind.EDITED, now=now)
    if invoice.due_on > due_before:
        zone = session.get_one(Business, invoice.business_id).time_zone
        later = (invoice.due_on - due_before).days
        payment_links.prolong(session, actor, invoice, days=later, zone=zone, now=now)
    return invoice


def duplicate(session: Session, actor: Actor, invoice_id: int, *, now: datetime, today: date) -> Invoice:
    """A new draft with the same content, dated today, but for lines that would bill again what is billed: those of
    usage, and of reports, unless the original was cancelled or wholly credited and nobody has billed them since: then
    the copy bills the orders that it let go, if their report is still the newest. Conflict where nothing is left.
    """
    actor.require(Permission.INVOICE_WRITE)
    original = queries.one(session, actor, invoice_id)
    copied = copying.of_invoice(session, original.id, queries.content(session, original))
    content = copied.content
    # Where the terms do not say when it is due, or say another day, somebody has chosen so many days.
    chosen = None if _is_by_terms(content) else today + (original.due_on - original.issued_on)
    _refuse_unknown(session, actor, [content])
    fresh = checked(replace(content, issued_on=today, due_on=chosen, lines_rounded=True))
    data = {"copied_from": original.id, "number": original.number, **copied.told}
    (copy_id,) = _create(session, actor, [fresh], now=now, data=data)
    return session.scalars(_CREATED, {"key": copy_id}).one()


def discard(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> None:
    """Discard a draft that never had a number. Its history stays; lists leave it out."""
    actor.require(Permission.INVOICE_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is not DRAFT or invoice.number:
        raise Conflict(f"{named(invoice)} cannot be discarded, only cancelled: its number must stay in the series")
    writing.unlink_reports(session, invoice.id)
    discarded = Change(invoice, {"cancelled_at": now}, to=CANCELLED)
    lifecycle.change(session, actor, [discarded], event=EventKind.CANCELLED, now=now)


def send(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> Invoice:
    """Send a draft: it gets a number if it has none, the issuer's details and the customer's country are frozen into
    it, and it is posted. What the law wants and it lacks is kept with it: whoever sends it has decided so.
    """
    return send_many(session, actor, [invoice_id], now=now)[0]


def send_many(session: Session, actor: Actor, invoice_ids: Sequence[int], *, now: datetime) -> list[Invoice]:
    """Send these drafts, all or none; they are numbered in the order given."""
    actor.require(Permission.INVOICE_SEND)
    invoices = queries.many_for_change(session, actor, invoice_ids)
    for invoice in invoices:
        if invoice.state is not DRAFT:
            raise Conflict(f"{named(invoice)} has been sent or cancelled already")
    lines = queries.lines_of(session, [invoice.id for invoice in invoices])
    business_ids = {invoice.business_id for invoice in invoices}
    businesses = known(session, Business, business_ids)
    if unread := sorted(business_ids - businesses.keys()):
        businesses |= {one.id: one for one in session.scalars(_SENDING, {"ids": unread})}
    countries = _countries(session, {invoice.customer_id for invoice in invoices})
    frozen = {business.id: issuers.freeze(business) for business in businesses.values()}
    # Last of all: drawing a number blocks other drawers until the transaction ends.
    drawn = _draw(session, businesses, [invoice for invoice in invoices if not invoice.number])

    changes = []
    for invoice in invoices:
        ours, country = frozen[invoice.business_id], countries[invoice.customer_id]
        lacking = of_invoices.of_sending(invoice, ours, lines[invoice.id], country)
        place = drawn.get(invoice.id) or Drawn(invoice.number or "", invoice.series, invoice.sequence)
        facts = {
            "number": place.number,
            "number_key": place.key if invoice.id in drawn else invoice.number_key,
            "series": place.series,
            "sequence": place.sequence,
            "issuer": ours,
            "customer_country": country,
            "sent_at": now,
            "paid_at": None if invoice.total_minor else now,
        }
        changes.append(
            Change(
                invoice,
                facts,
                to=OPEN if invoice.total_minor else PAID,
                data={
                    "number": place.number,
                    "total_minor": invoice.total_minor,
                    "currency": invoice.currency,
                    **_unprintable(invoice, ours, lines[invoice.id]),
                    **lacking,
                },
                traced=({}, lacking),
                entry=postings.sending(invoice, [line.computed for line in lines[invoice.id]], memo=place.number),
            )
        )
    lifecycle.change(session, actor, changes, event=EventKind.SENT, action=Permission.INVOICE_SEND, now=now)
    return invoices


def _create(
    session: Session,
    actor: Actor,
    contents: Sequence[Content],
    *,
    now: datetime,
    drawn: Drawn | None = None,
    data: Mapping[str, Any] | None = None,
    again_reason: str = "",
) -> list[int]:
    ids = writing.insert_drafts(session, actor, contents, now=now, drawn=drawn, again_reason=again_reason)
    notes, traces = [], []
    for invoice_id, content in zip(ids, contents, strict=True):
        notes.append((invoice_id, EventKind.CREATED, data))
        after = {"currency": content.currency, "issued_on": content.issued_on, "due_on": content.due_on}
        after |= {"lines": len(content.lines), "number": drawn and drawn.number}
        traces.append(audit.Trace(("invoice", invoice_id), content.customer_name, after=after))
    lifecycle.note_many(session, actor, notes, now=now)
    audit.record_many(session, actor, Permission.INVOICE_WRITE, traces, now=now)
    created = [(invoice_id, content.customer_id, None) for invoice_id, content in zip(ids, contents, strict=True)]
    outgoing_events.changed(session, actor, created, EventKind.CREATED, now=now)
    return ids


def _refuse_unknown(session: Session, actor: Actor, contents: Sequence[Content]) -> None:
    """The database would refuse them too, but could not say which field is wrong."""
    session.flush()
    connection = session.connection()
    named_customers = {content.customer_id for content in contents}
    customers = known(session, Customer, named_customers) if actor.customer_id is None else {}
    statement = _CUSTOMERS if actor.customer_id is None else _CUSTOMERS.where(visible_to(actor))
    customer_ids = sorted(named_customers - customers.keys())
    for start in range(0, len(customer_ids), 500):
        some = {"ids": customer_ids[start : start + 500]}
        customers |= {one.id: one for one in session.scalars(statement, some)}
    named_businesses = {content.business_id for content in contents}
    businesses = set(known(session, Business, named_businesses))
    if businesses != named_businesses:
        businesses = set(connection.execute(_BUSINESSES).scalars())
    for content in contents:
        if content.customer_id not in customers:
            raise Invalid("There is no such customer", fields={"customer_id": "is not one of our customers"})
        refuse_inactive(customers[content.customer_id])
        if content.business_id not in businesses:
            raise Invalid("There is no such business", fields={"business_id": "is not one of our businesses"})


def _countries(session: Session, customer_ids: set[int]) -> dict[int, str]:
    """The country in which each customer is now; Conflict where one is deactivated."""
    countries: dict[int, str] = {}
    ids = sorted(customer_ids)
    for start in range(0, len(ids), 500):
        for billed in session.connection().execute(_BILLED, {"ids": ids[start : start + 500]}):
            if not billed.active:
                raise inactive(billed.name, billed.merged_into_id)
            countries[billed.id] = billed.country
    return countries


def _draw(session: Session, businesses: Mapping[int, Business], invoices: Sequence[Invoice]) -> dict[int, Drawn]:
    """A number for each, by invoice id. Counters are raised in a fixed order, to avoid a deadlock."""
    series: dict[tuple[int, int], list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        series[invoice.business_id, invoice.issued_on.year].append(invoice)
    drawn: dict[int, Drawn] = {}
    for (business_id, _), members in sorted(series.items()):
        business, day = businesses[business_id], members[0].issued_on
        numbers = numbering.draw_many(session, business, SeriesKind.INVOICE, day, len(members))
        drawn |= {invoice.id: number for invoice, number in zip(members, numbers, strict=True)}
    return drawn


def _is_by_terms(content: Content) -> bool:
    """Whether the due date is the one that the payment terms say."""
    agreed = understood(content.payment_terms)
    return agreed is not None and agreed.due_on(content.issued_on) == content.due_on


def _given(details: Details) -> dict[str, Any]:
    return {name: value for name, value in asdict(details).items() if value is not None}


def _edited_lately(session: Session, actor: Actor, invoice: Invoice, now: datetime) -> bool:
    """Whether the timeline already has a recent edit by this person."""
    edits = select(InvoiceEvent.id).where(
        InvoiceEvent.invoice_id == invoice.id,
        InvoiceEvent.kind.in_([EventKind.CREATED, EventKind.EDITED]),
        InvoiceEvent.actor_id == actor.user_id,
        InvoiceEvent.actor_name == actor.name,
        InvoiceEvent.at > now - ONE_EDIT,
    )
    return session.scalar(edits.limit(1)) is not None


def _stale(session: Session, invoice: Invoice, current: Content, proposed: Content) -> Conflict:
    """Who has saved meanwhile, and the present values of the fields that differ."""
    last = select(AuditEntry.actor_name).where(
        AuditEntry.subject_kind == "invoice",
        AuditEntry.subject_id == str(invoice.id),
        AuditEntry.action == Permission.INVOICE_WRITE,
    )
    who = session.scalar(last.order_by(AuditEntry.id.desc()).limit(1)) or "Somebody"
    reads = writing.now_reads(current, proposed)
    differences = "; ".join(f"{field.replace('_', ' ')} {reason}" for field, reason in reads.items())
    saved = "this draft" if invoice.state is DRAFT else named(invoice)
    return Conflict(f"{who} has saved {saved} in the meantime: {differences}", fields=reads)


def _unprintable(invoice: Invoice, issuer: Mapping[str, Any], lines: Sequence[DraftLine]) -> dict[str, Any]:
    """For the timeline: what of it the PDF cannot show."""
    theirs = (getattr(invoice, field.name) for field in fields(Content) if isinstance(field.default, str))
    if all(str(text).isascii() for text in (*theirs, *issuer.values(), *(line.description for line in lines))):
        return {}
    # Fonts take long to load, and most processes never need them.
    from billing_core.invoices.documents import legibility

    found = legibility.of_sending(invoice, issuer, lines)
    return {"unprintable": {field: "".join(characters) for field, characters in found.items()}} if found else {}
