"""An invoice's states, its published status, and the one function through which a stored invoice changes."""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol, cast

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, case, insert, not_, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from billing_core.audit import service as audit
from billing_core.dates import Day, day_of, passed
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import outgoing_events, payment_links
from billing_core.invoices.billed_orders import keeping as billed_orders
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent, InvoiceState
from billing_core.invoices.payment_links import Asked, LinkState
from billing_core.ledger import service as ledger
from billing_core.ledger.service import Entry
from billing_core.reading_order import orders_of

_INVOICES = cast("Table", Invoice.__table__)
_EVENTS = cast("Table", InvoiceEvent.__table__)

# Built once: building a statement takes as long as running it.
_UPDATE = update(_INVOICES).where(_INVOICES.c.id == bindparam("key"), _INVOICES.c.version == bindparam("seen"))
_FOLLOWING = (_INVOICES.c.due_minor, _INVOICES.c.late_after)
_UPDATE_ONE = _UPDATE.returning(*_FOLLOWING)
_INSERT_EVENT = insert(_EVENTS)
_FOLLOWED = select(_INVOICES.c.id, *_FOLLOWING).where(_INVOICES.c.id.in_(bindparam("ids", expanding=True)))

DRAFT, OPEN, PAID, CANCELLED = InvoiceState.DRAFT, InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.CANCELLED

# DRAFT to PAID: an invoice of 0 is paid as soon as it is sent. CANCELLED to OPEN: a write-off is undone.
MOVES: Final[dict[InvoiceState, frozenset[InvoiceState]]] = {
    DRAFT: frozenset({OPEN, PAID, CANCELLED}),
    OPEN: frozenset({PAID, CANCELLED}),
    PAID: frozenset({OPEN}),
    CANCELLED: frozenset({OPEN}),
}

# What no failed attempt at a payment, or none any more, leaves on an invoice.
NOT_FAILED: Final[Mapping[str, Any]] = {"payment_failed_at": None, "payment_failure": "", "failed_late_after": None}


def begun_anew(now: datetime) -> dict[str, Any]:
    """Facts of an invoice that is in time again: no earlier failure counts, not even one that is told of later."""
    return {**NOT_FAILED, "failures_from": now}


class InvoiceStatus(enum.StrEnum):
    """The published status: the state and the facts in one word."""

    DRAFT = "draft"
    SENT = "sent"
    VIEWED = "viewed"
    OVERDUE = "overdue"
    PAID = "paid"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class Facts(Protocol):
    """What the status is derived from; an ``Invoice`` and the rows of ``queries`` have it."""

    @property
    def business_id(self) -> int: ...
    @property
    def state(self) -> InvoiceState: ...
    @property
    def late_after(self) -> date: ...
    @property
    def paid_minor(self) -> int: ...
    @property
    def refunded_minor(self) -> int: ...
    @property
    def viewed_at(self) -> datetime | None: ...


def status(invoice: Facts, today: Day) -> InvoiceStatus:
    """The published status, by the day of the invoice's own business."""
    match invoice.state:
        case InvoiceState.DRAFT:
            return InvoiceStatus.DRAFT
        case InvoiceState.CANCELLED:
            return InvoiceStatus.CANCELLED
        case InvoiceState.PAID:
            refunded = 0 < invoice.refunded_minor == invoice.paid_minor
            return InvoiceStatus.REFUNDED if refunded else InvoiceStatus.PAID
        case InvoiceState.OPEN:
            if invoice.late_after < day_of(today, invoice.business_id):
                return InvoiceStatus.OVERDUE
            return InvoiceStatus.VIEWED if invoice.viewed_at else InvoiceStatus.SENT


_STATUSES: Final = {
    OPEN: {InvoiceStatus.SENT, InvoiceStatus.VIEWED, InvoiceStatus.OVERDUE},
    PAID: {InvoiceStatus.PAID, InvoiceStatus.REFUNDED},
}


def status_sql(today: Day) -> ColumnElement[str]:
    """The same in SQL; a test holds the two together."""
    return case(*((condition, status.value) for status, condition in _conditions(today).items()))


def has_status(statuses: Collection[InvoiceStatus], today: Day) -> ColumnElement[bool]:
    """In SQL, as conditions on the columns themselves, so that their indexes serve: is its status one of these?"""
    conditions = _conditions(today)
    # All that are open are found by their state, without a look at their days.
    whole = [state for state, its_own in _STATUSES.items() if its_own <= set(statuses)]
    rest = set(statuses).difference(*(_STATUSES[state] for state in whole))
    return or_(*(Invoice.state == state for state in whole), *(conditions[one] for one in InvoiceStatus if one in rest))


def _conditions(today: Day) -> dict[InvoiceStatus, ColumnElement[bool]]:
    late = passed(Invoice.late_after, Invoice.business_id, today)
    refunded = and_(Invoice.refunded_minor > 0, Invoice.refunded_minor == Invoice.paid_minor)
    is_open, paid = Invoice.state == OPEN, Invoice.state == PAID
    return {
        InvoiceStatus.DRAFT: Invoice.state == DRAFT,
        InvoiceStatus.CANCELLED: Invoice.state == CANCELLED,
        InvoiceStatus.REFUNDED: and_(paid, refunded),
        InvoiceStatus.PAID: and_(paid, not_(refunded)),
        InvoiceStatus.OVERDUE: and_(is_open, late),
        InvoiceStatus.VIEWED: and_(is_open, not_(late), Invoice.viewed_at.is_not(None)),
        InvoiceStatus.SENT: and_(is_open, not_(late), Invoice.viewed_at.is_(None)),
    }


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one invoice, which the caller has locked (``queries.for_change``). ``facts``: columns and their new
    values. ``to``: its new state, None where it stays. ``data``: the data of the event. ``entry``: what is posted for
    it. ``traced``: audited values besides the facts, before and after.
    """

    invoice: Invoice
    facts: Mapping[str, Any] = field(default_factory=dict)
    to: InvoiceState | None = None
    data: Mapping[str, Any] | None = None
    entry: Entry | None = None
    traced: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})


def change(
    session: Session,
    actor: Actor,
    changes: Sequence[Change],
    *,
    event: EventKind | None,
    action: str = Permission.INVOICE_WRITE,
    now: datetime,
) -> None:
    """Check the moves, post, set the facts, and write event and audit. All changes of one call set the same facts.

    ``event`` None: the timeline already has it. The invoices then show what was stored. A payment link ends that asks
    for what is no longer right, or somebody else; another note or due date leaves it alone.
    """
    if not changes:
        return
    for one in changes:
        _check_move(one)
    asked = [(one.invoice, payment_links.asked(one.invoice, now=now)) for one in changes if one.invoice.payment_url]
    ledger.post_many(session, actor, [one.entry for one in changes if one.entry], now=now)
    rows = _store(session, changes, now)
    if given_up := [one.invoice.id for one in changes if one.to is CANCELLED and not _written_off(one)]:
        billed_orders.release(session, given_up, now=now)
    if event is not None:
        note_many(session, actor, [(one.invoice.id, event, one.data) for one in changes], now=now)
    audit.record_many(session, actor, action, [_trace(one) for one in changes], now=now)
    outgoing_events.changed(
        session, actor, [(one.invoice.id, one.invoice.customer_id, one.to) for one in changes], event, now=now
    )
    _show([one.invoice for one in changes], rows)
    for invoice, before in asked:
        if because := _link_is_wrong(invoice, before, event, now):
            _end_link(session, actor, invoice, state=LinkState.DEACTIVATED, because=because, now=now)


def end_link(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    state: LinkState,
    because: str,
    now: datetime,
    tell_gateway: bool = True,
) -> bool:
    """End the invoice's active payment link, in the timeline and by webhook; False where it has none.

    The caller has locked the invoice and checked the permission. ``tell_gateway``: have it deactivated there too.
    """
    ended = _end_link(session, actor, invoice, state=state, because=because, now=now, tell_gateway=tell_gateway)
    if ended:
        outgoing_events.changed(
            session, actor, [(invoice.id, invoice.customer_id, None)], EventKind.LINK_ENDED, now=now
        )
    return ended


def note_link(
    session: Session, actor: Actor, invoice: Invoice, link_id: int, data: Mapping[str, Any], *, now: datetime
) -> None:
    """The invoice can be paid by this link now: adds that to the timeline and sends webhooks."""
    note(session, actor, invoice.id, EventKind.LINK_CREATED, {"link_id": link_id, **data}, now=now)
    outgoing_events.changed(session, actor, [(invoice.id, invoice.customer_id, None)], EventKind.LINK_CREATED, now=now)


def _end_link(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    state: LinkState,
    because: str,
    now: datetime,
    tell_gateway: bool = True,
) -> bool:
    """``end_link`` as part of a change that sends its own webhook."""
    link = payment_links.end(session, actor, invoice, state=state, because=because, now=now, tell_gateway=tell_gateway)
    if link is None:
        return False
    data = {"link_id": link.id, "state": state.value, "reason": because}
    note(session, actor, invoice.id, EventKind.LINK_ENDED, data, now=now)
    after = {"state": state.value, "reason": because}
    trace = audit.Trace(("payment_link", link.id), invoice.number or "", {"state": LinkState.ACTIVE.value}, after)
    audit.record_many(session, actor, Permission.LINK_WRITE, [trace], now=now)
    return True


def settle(
    session: Session,
    actor: Actor,
    invoice: Invoice,
    *,
    event: EventKind,
    now: datetime,
    paid: int = 0,
    credited: int = 0,
    written_off: int = 0,
    refunded: int = 0,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add to the stored amounts (minor units; negative reverses) and move the invoice to the resulting state.

    The caller has posted the entry. Conflict where they do not fit the invoice.
    """
    amounts = {
        "paid_minor": invoice.paid_minor + paid,
        "credited_minor": invoice.credited_minor + credited,
        "written_off_minor": invoice.written_off_minor + written_off,
        "refunded_minor": invoice.refunded_minor + refunded,
    }
    settled = amounts["paid_minor"] + amounts["credited_minor"] + amounts["written_off_minor"]
    given_up = invoice.state is CANCELLED and invoice.written_off_minor > 0
    if invoice.state is DRAFT or (invoice.state is CANCELLED and not given_up):
        raise Conflict(f"{named(invoice)} is {_STATE_WORDS[invoice.state]}: nothing is due on it")
    if min(amounts.values()) < 0 or amounts["refunded_minor"] > amounts["paid_minor"]:
        raise Conflict(f"More would be taken back than {named(invoice)} has received")
    if settled > invoice.total_minor:
        raise Conflict(f"{named(invoice)} would get more than is due: {invoice.amount_due}")

    facts: dict[str, Any] = dict(amounts)
    if settled < invoice.total_minor:
        target = OPEN
    elif amounts["paid_minor"] or not invoice.total_minor:
        target = PAID
    else:
        target = CANCELLED
    if target is not invoice.state:
        facts |= {"paid_at": now if target is PAID else None, "cancelled_at": now if target is CANCELLED else None}
    if paid > 0:
        facts |= begun_anew(now)
    settlement = Change(invoice, facts, None if target is invoice.state else target, data)
    change(session, actor, [settlement], event=event, action=Permission.PAYMENT_WRITE, now=now)


Note = tuple[int, EventKind, Mapping[str, Any] | None]


def note(
    session: Session,
    actor: Actor,
    invoice_id: int,
    kind: EventKind,
    data: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Add to the timeline what does not change the invoice itself, such as a mail that was sent."""
    note_many(session, actor, [(invoice_id, kind, data)], now=now)


def note_many(session: Session, actor: Actor, notes: Sequence[Note], *, now: datetime) -> None:
    """``note`` for many invoices (id, kind, data) in one statement."""
    rows = [
        {
            "invoice_id": invoice_id,
            "at": now,
            "kind": kind,
            "actor_id": actor.user_id,
            "actor_name": actor.name,
            "data": data,
        }
        for invoice_id, kind, data in notes
    ]
    if rows:
        session.connection().execute(_INSERT_EVENT, rows)


_STATE_WORDS = {DRAFT: "a draft", OPEN: "open", PAID: "paid", CANCELLED: "cancelled"}


def named(invoice: Invoice) -> str:
    """What a message calls the invoice."""
    return f"Invoice {invoice.number}" if invoice.number else f"The draft for {invoice.customer_name or 'nobody yet'}"


def _link_is_wrong(invoice: Invoice, before: Asked, event: EventKind | None, now: datetime) -> str:
    """Why the link may not be used any more; empty where it still asks the same customer for what is due."""
    if invoice.state is not OPEN:
        written_off = event is EventKind.WRITTEN_OFF
        return f"The invoice was {'written off' if written_off else _STATE_WORDS[invoice.state]}"
    return payment_links.difference(before, payment_links.asked(invoice, now=now))


def _check_move(change: Change) -> None:
    state = change.invoice.state
    if change.to is not None and change.to not in MOVES[state]:
        raise Conflict(f"{named(change.invoice)} is {_STATE_WORDS[state]} and cannot become {_STATE_WORDS[change.to]}")


def _store(session: Session, changes: Sequence[Change], now: datetime) -> list[dict[str, Any]]:
    """Write the facts, and return what each invoice has by then of them and of what follows from them."""
    rows = [
        {**one.facts, **orders_of(one.facts, "number", "customer_name")}
        | {"state": one.to or one.invoice.state, "updated_at": now, "version": one.invoice.version + 1}
        for one in changes
    ]
    keys = [{"key": one.invoice.id, "seen": one.invoice.version} for one in changes]
    written = [key | row for key, row in zip(keys, rows, strict=True)]
    connection = session.connection()
    if len(written) == 1:
        following = list(connection.execute(_UPDATE_ONE, written[0]))
        stored = len(following)
    else:
        stored = connection.execute(_UPDATE, written).rowcount
        following = _followed(connection, [one.invoice.id for one in changes])
    if stored != len(rows):
        raise Conflict("Somebody else has changed this invoice at the same moment. Look at it again.")
    if renamed := [one.invoice.id for one in changes if "customer_name" in one.facts]:
        payment_links.follow_names(session, renamed)
    return [
        row | {"due_minor": due_minor, "late_after": late_after}
        for row, (due_minor, late_after) in zip(rows, following, strict=True)
    ]


def _show(invoices: Sequence[Invoice], rows: Sequence[Mapping[str, Any]]) -> None:
    """Let the invoices show what was stored. Reading them again whole takes three times as long."""
    for invoice, row in zip(invoices, rows, strict=True):
        for name, value in row.items():
            set_committed_value(invoice, name, value)


def _followed(connection: Connection, ids: Sequence[int]) -> list[Any]:
    """What is due on each and after which day it is late, as the database computes them."""
    found: dict[int, Any] = {}
    # A few hundred at a time: a statement takes a limited number of values.
    for start in range(0, len(ids), 500):
        rows = connection.execute(_FOLLOWED, {"ids": ids[start : start + 500]})
        found |= {invoice_id: following for invoice_id, *following in rows}
    return [found[invoice_id] for invoice_id in ids]


def _written_off(one: Change) -> int:
    """What of it was written off by then, in minor units: that was billed all the same."""
    minor: int = one.facts.get("written_off_minor", one.invoice.written_off_minor)
    return minor


def _trace(one: Change) -> audit.Trace:
    after = {name: value for name, value in one.facts.items() if name not in _UNTRACED}
    if one.to is not None:
        after["state"] = one.to
    before, after = audit.changed({name: getattr(one.invoice, name) for name in after}, after)
    label = one.facts.get("number") or one.invoice.number or one.invoice.customer_name
    was, became = one.traced
    return audit.Trace(("invoice", one.invoice.id), label, {**before, **was}, {**after, **became})


# A copy of what the business's own audit trail has.
# The instant of the trace says as much as ``failures_from``.
_UNTRACED = {"issuer", "failures_from", "number_key"}
