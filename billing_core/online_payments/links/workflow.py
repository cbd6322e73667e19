"""Creating a payment link: decide and record, ask the gateway outside any transaction, record its answer.

The whole request is recorded first, with its key. So after any failure the same request can be repeated without a
second link, and a link whose answer was lost can be found and deactivated.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.database import Sessions
from billing_core.dates import start_of_day
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, payment_links, queries, service
from billing_core.invoices.content import early_payment
from billing_core.invoices.documents import document
from billing_core.invoices.lifecycle import DRAFT, OPEN, named
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LIVING, CollectionWay, LinkState, Mode, PaymentLink
from billing_core.online_payments.charges import charge_of, says_the_same
from billing_core.online_payments.gateway import Charge, CreatedLink, Declined, Gateway
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.off_session import attempts
from billing_core.online_payments.stripe import limits
from billing_core.payments.prepaid import using
from billing_core.settings import settings
from billing_core.text import reason_of

# A link expires this many days after the later of the due date and its day of creation.
VALID_FOR: Final = timedelta(days=30)
CHANGED: Final = "The invoice changed while the link was being created"


@dataclass(frozen=True, slots=True)
class _Request:
    """What the gateway is asked for, and under which key."""

    link_id: int
    key: str
    charge: Charge
    way: CollectionWay


def preview(session: Session, actor: Actor, invoice_id: int, *, today: date) -> Charge:
    """Exactly what the customer would be asked to pay; Conflict where no link can be created."""
    actor.require(Permission.LINK_WRITE)
    invoice = session.get_one(Invoice, queries.one(session, actor, invoice_id).id)
    _refuse(session, invoice)
    charge = _charge(session, invoice, link_id="", token="", today=today)
    _refuse_amount(charge)
    return charge


def create(sessions: Sessions, actor: Actor, gateway: Gateway, invoice_id: int, *, now: datetime) -> int:
    """Create a link by which the invoice can be paid; returns the link's id. A draft is sent with it.

    Conflict where nothing is due, or not what Stripe takes, or a link is active. ``Declined`` where the gateway
    refused; after any other ``UpstreamFailed`` the invoice is unchanged, and repeating the call makes no second link.
    """
    actor.require(Permission.LINK_WRITE)
    with sessions.begin() as session:
        request = _ask(session, actor, gateway.mode, invoice_id, now=now)
    try:
        created = gateway.create_link(request.charge, request.way, key=request.key)
    except (Declined, Invalid) as refusal:
        with sessions.begin() as session:
            _note_refusal(session, actor, request, str(refusal), now=now)
        raise
    with sessions.begin() as session:
        problem = _record(session, actor, request, created, now=now)
    if problem:
        raise Conflict(problem)
    return request.link_id


def deactivate(session: Session, actor: Actor, link_id: int, *, reason: str, now: datetime) -> None:
    """Deactivate the link; the invoice stays as it is, and may get another one.

    Also abandons a link whose creation was never answered.
    """
    actor.require(Permission.LINK_WRITE)
    why = reason_of(reason)
    invoice = queries.for_change(session, actor, links.one(session, actor, link_id).invoice_id)
    link = session.get_one(PaymentLink, link_id, populate_existing=True)
    if link.state is LinkState.ACTIVE:
        lifecycle.end_link(session, actor, invoice, state=LinkState.DEACTIVATED, because=why, now=now)
    elif link.state is LinkState.CREATING:
        payment_links.abandon(session, actor, link, invoice, because=why, now=now)
    else:
        raise Conflict(f"The payment link of {named(invoice)} is {link.state.value} already")


def _ask(session: Session, actor: Actor, mode: Mode, invoice_id: int, *, now: datetime) -> _Request:
    """Record the request to the gateway; an unanswered earlier request is repeated instead."""
    invoice = queries.for_change(session, actor, invoice_id)
    _refuse(session, invoice)
    today = businesses.day_at(session, invoice.business_id, now=now)
    link = _unanswered(session, invoice.id)
    way = CollectionWay(businesses.one(session, invoice.business_id).collects_by)
    if link is not None:
        charge = Charge.of(link.charge)
        as_of_now = _charge(session, invoice, link_id="", token="", today=today)
        if (link.mode, link.way) == (mode, way) and says_the_same(charge, as_of_now):
            return _Request(link.id, link.public_id, charge, way)
        payment_links.abandon(session, actor, link, invoice, because=CHANGED, now=now)
    link = PaymentLink(
        public_id=payment_links.new_public_id(),
        token=payment_links.new_token(),
        invoice_id=invoice.id,
        customer_name_order=invoice.customer_name_order,
        mode=mode,
        way=way,
        currency=invoice.currency,
        expires_at=_expires_at(session, invoice, today),
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    charge = _charge(session, invoice, link_id=link.public_id, token=link.token, today=today)
    _refuse_amount(charge)
    link.amount_minor, link.charge = charge.amount_minor, charge.stored()
    session.add(link)
    session.flush()
    return _Request(link.id, link.public_id, charge, way)


def _record(session: Session, actor: Actor, request: _Request, created: CreatedLink, *, now: datetime) -> str:
    """Record the gateway's answer; returns why the link must not be used, where the invoice changed meanwhile."""
    invoice_id = session.get_one(PaymentLink, request.link_id).invoice_id
    invoice = queries.for_change(session, actor, invoice_id)
    link = session.get_one(PaymentLink, request.link_id, populate_existing=True)
    if link.state in (LinkState.ACTIVE, LinkState.PAID):
        # A concurrent request got the same link.
        return ""
    link.url, link.gateway_id, link.stripe_invoice_id = created.url, created.gateway_id, created.stripe_invoice_id
    payable = invoice.state is DRAFT or (invoice.state is OPEN and invoice.due_minor)
    today = businesses.day_at(session, invoice.business_id, now=now)
    same = payable and says_the_same(request.charge, _charge(session, invoice, link_id="", token="", today=today))
    if link.state is not LinkState.CREATING or not same:
        if link.state is LinkState.CREATING:
            link.state, link.ended_at, link.ended_because = LinkState.DEACTIVATED, now, CHANGED
        payment_links.withdraw(session, actor, link, invoice, now=now)
        return f"{CHANGED}, so it cannot be used. Look at the invoice again."
    if invoice.state is DRAFT:
        (invoice,) = service.send_many(session, actor, [invoice.id], now=now)
    link.state, link.activated_at = LinkState.ACTIVE, now
    payment_links.show(session, link, invoice)
    data = {"amount_minor": link.amount_minor, "mode": link.mode.value}
    lifecycle.note_link(session, actor, invoice, link.id, data, now=now)
    audit.record(
        session,
        actor,
        Permission.LINK_WRITE,
        ("payment_link", link.id),
        label=invoice.number or "",
        after={"amount_minor": link.amount_minor, "currency": link.currency, "mode": link.mode.value}
        | {"way": link.way.value, "gateway_id": created.gateway_id, "request_id": created.request_id},
        now=now,
    )
    return ""


def _note_refusal(session: Session, actor: Actor, request: _Request, reason: str, *, now: datetime) -> None:
    link = session.get_one(PaymentLink, request.link_id, with_for_update=True)
    if link.state is not LinkState.CREATING:
        return
    link.state, link.ended_at, link.ended_because = LinkState.FAILED, now, reason[:500]
    label = request.charge.invoice_number or request.charge.customer_name
    after = {"state": link.state.value, "reason": reason[:500]}
    audit.record(session, actor, Permission.LINK_WRITE, ("payment_link", link.id), label=label, after=after, now=now)


def _refuse(session: Session, invoice: Invoice) -> None:
    """Conflict where nothing is due, or where the customer is asked or charged already."""
    if invoice.state not in (DRAFT, OPEN):
        raise Conflict(f"{named(invoice)} is {invoice.state.value}: there is nothing to pay by a link")
    due = invoice.total_minor if invoice.state is DRAFT else invoice.due_minor
    if not due:
        name = named(invoice)
        raise Conflict(f"Nothing is due on {name[:1].lower()}{name[1:]}")
    if invoice.state is DRAFT and using.would_pay(session, invoice):
        raise Conflict("Prepaid credit pays of this invoice: send it first, and create a link for what is left")
    active = select(PaymentLink.id).where(PaymentLink.invoice_id == invoice.id, PaymentLink.state == LinkState.ACTIVE)
    if session.scalar(active) is not None:
        raise Conflict(f"{named(invoice)} has a payment link already: deactivate that one first")
    if attempts.running(session, invoice.id):
        raise Conflict(f"{named(invoice)} is being charged to a card on file: wait for the outcome")


def _refuse_amount(charge: Charge) -> None:
    """Conflict where Stripe would not take it, whether Stripe is asked or the sandbox."""
    if why := limits.refusal(charge.amount_minor, charge.currency):
        raise Conflict(f"{why}: ask for it by bank transfer")


def _unanswered(session: Session, invoice_id: int) -> PaymentLink | None:
    living = select(PaymentLink).where(PaymentLink.invoice_id == invoice_id, PaymentLink.state.in_(LIVING))
    return session.scalars(living.execution_options(populate_existing=True)).one_or_none()


def _charge(session: Session, invoice: Invoice, *, link_id: str, token: str, today: date) -> Charge:
    shown = document.of_invoice(session, invoice.id)
    thanks = f"{settings().address}/pay/{token}/done"
    return charge_of(shown, invoice_id=invoice.public_id, link_id=link_id, return_url=thanks, today=today)


def _expires_at(session: Session, invoice: Invoice, today: date) -> datetime:
    """The end of the link's last day in the business's time zone: where it asks for less, that of the discount."""
    early = early_payment.best_on(document.of_invoice(session, invoice.id), today)
    last = early.until if early else max(invoice.due_on, today) + VALID_FOR
    return start_of_day(businesses.one(session, invoice.business_id).time_zone, last + timedelta(days=1))
