"""Recording what a gateway collected. It pays its invoice where it is exactly what is due, or that less what early
payment takes off, or what a card on file was charged of it; else a person decides.
"""

from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, payment_links, service
from billing_core.invoices.content import early_payment
from billing_core.invoices.lifecycle import DRAFT
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.payment_links import LinkState
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.models import CaseKind
from billing_core.online_payments.webhooks import fees
from billing_core.online_payments.webhooks.facts import Paid
from billing_core.online_payments.webhooks.matching import Match
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import GatewayNames, Received


def record(session: Session, actor: Actor, match: Match, paid: Paid) -> tuple[Payment, str]:
    """Record a payment that is not known yet; returns it, and what it did. A draft that a card was charged for is sent
    with it, unless it has changed meanwhile.
    """
    actor.require(Permission.PAYMENT_WRITE)
    invoice = match.invoice
    came = Money(paid.amount_minor, paid.currency)
    if match.attempt is not None and invoice.state is DRAFT and came == invoice.total:
        service.send_many(session, actor, [invoice.id], now=match.now)
    due = invoice.due_minor if invoice.state is InvoiceState.OPEN else 0
    expected = Money(due, invoice.currency)
    # Credit that was to pay the rest may be gone by now.
    is_part = match.attempt is not None and came.currency == expected.currency and came.minor < due
    # What a link or a charge asked for holds, whenever the money came.
    asked = match.asked is not None and match.asked[1] == came
    offered = early_payment.offers(invoice) if due and came.currency == expected.currency else []
    early = early_payment.taken_by(offered, came.minor, None if asked else match.day(paid.at))
    pays = due > 0 and (came == expected or is_part or early is not None)
    _end_link(session, actor, match)
    payment = received.record_collected(
        session,
        actor,
        invoice,
        received=Received(
            currency=paid.currency,
            amount_minor=paid.amount_minor,
            method=PaymentMethod.STRIPE,
            received_on=match.day(paid.at),
            reference=paid.key,
        ),
        names=GatewayNames(match.mode, paid.key, paid.intent_id, paid.charge_id),
        pays=pays,
        asked=asked,
        today=match.today,
        now=match.now,
    )
    fees.ask(session, actor, payment, mode=match.mode, now=match.now)
    if pays:
        return payment, f"{came} paid {'a part of ' if is_part and early is None else ''}the invoice"
    if match.attempt is not None and invoice.state is DRAFT and came.minor < invoice.total_minor:
        # Credit is to pay the rest, once whoever began the charge sends the draft.
        return payment, f"{came} kept as credit until the invoice is sent"
    kind, why = _difference(match, came, expected)
    cause = Cause(
        key=f"paid:{paid.key}",
        kind=kind,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        currency=paid.currency,
        amount_minor=paid.amount_minor,
        expected_minor=due if kind is CaseKind.AMOUNT_DIFFERS else None,
        said=f"{came} came in for {lifecycle.named(invoice)}, {why}. It is kept as the customer's credit",
    )
    cases.open_case(session, actor, cause, now=match.now)
    return payment, f"{came} kept as credit: {why}"


def _difference(match: Match, came: Money, expected: Money) -> tuple[CaseKind, str]:
    """Why a payment does not pay its invoice; compared first with what was asked for, which does not change."""
    if came.currency != expected.currency:
        return CaseKind.CURRENCY_DIFFERS, f"which is in {expected.currency}"
    if match.asked is not None and came.minor != match.asked[1].minor:
        by, amount = match.asked
        return CaseKind.AMOUNT_DIFFERS, f"{by} {amount}"
    if not expected.minor:
        return CaseKind.NOTHING_DUE, "on which nothing was due"
    return CaseKind.AMOUNT_DIFFERS, f"on which {expected} was due"


def _end_link(session: Session, actor: Actor, match: Match) -> None:
    """The link is not usable again: the gateway takes one payment for each."""
    link = match.link
    if link is None or link.state is LinkState.PAID:
        return
    if link.state is LinkState.ACTIVE:
        payment_links.end(
            session, actor, match.invoice, state=LinkState.PAID, because=payment_links.PAID_BY_IT, now=match.now
        )
    else:
        link.state, link.ended_at = LinkState.PAID, link.ended_at or match.now
        session.flush()
