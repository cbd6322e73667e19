"""The proof that online payment links ask for what is owed, that charges to cards brought their payments, that no
payment was refunded beyond its amount, and what disputes cost.
"""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import String, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core import proof
from billing_core.invoices.content import early_payment
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.ledger.models import Account, LedgerEntry, LedgerPosting
from billing_core.online_payments.models import (
    AttemptState,
    ChargeAttempt,
    Dispute,
    PaymentMethodOnFile,
    SandboxCharge,
    SandboxRefund,
)
from billing_core.payments.models import Payment, Refund
from billing_core.proof import Check

_ACTIVE = PaymentLink.state == LinkState.ACTIVE


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _links(session)
    yield _names(session)
    yield _attempts(session)
    yield _refunds(session)
    yield _disputes(session)
    yield _sandbox(session)


def _links(session: Session) -> Check:
    differing = or_(
        PaymentLink.currency != Invoice.currency,
        Invoice.payment_url.is_distinct_from(PaymentLink.url),
    )
    wrong = select(PaymentLink.id, Invoice.number).join(Invoice, Invoice.id == PaymentLink.invoice_id)
    of_nothing = select(Invoice.id, Invoice.number).where(
        Invoice.payment_url.is_not(None), Invoice.id.not_in(select(PaymentLink.invoice_id).where(_ACTIVE))
    )
    return Check(
        "Each active payment link asks for what is due, and its invoice leads to it",
        proof.count(session, PaymentLink, _ACTIVE),
        _other_amounts(session)
        + proof.named(session, wrong.where(_ACTIVE, differing).order_by(PaymentLink.id), "payment link id {0} of {1}")
        + proof.named(session, of_nothing.order_by(Invoice.id), "invoice id {0}, {1}, leads to no active link"),
    )


def _names(session: Session) -> Check:
    wrong = (
        select(PaymentLink.id, Invoice.customer_name)
        .join(Invoice, Invoice.id == PaymentLink.invoice_id)
        .where(PaymentLink.customer_name_order != Invoice.customer_name_order)
        .order_by(PaymentLink.id)
    )
    return Check(
        "Payment links stand in lists where the names on their invoices do",
        proof.count(session, PaymentLink),
        proof.named(session, wrong, "payment link id {0} to {1}"),
    )


def _other_amounts(session: Session) -> tuple[str, ...]:
    """Links that ask neither for what is due nor for that less what early payment takes off."""
    owed = (Invoice.issued_on, Invoice.payment_terms, Invoice.currency, Invoice.paid_minor, Invoice.credited_minor)
    statement = (
        select(PaymentLink.id, PaymentLink.amount_minor, Invoice.number, *owed)
        .add_columns(Invoice.written_off_minor, Invoice.due_minor)
        .join(Invoice, Invoice.id == PaymentLink.invoice_id)
        .where(_ACTIVE, PaymentLink.amount_minor != Invoice.due_minor)
        .order_by(PaymentLink.id)
    )
    wrong = (
        f"payment link id {row.id} of {row.number}"
        for row in session.execute(statement)
        if all(offer.to_pay_minor != row.amount_minor for offer in early_payment.offers(row))
    )
    return tuple(islice(wrong, proof.NAMED))


def _attempts(session: Session) -> Check:
    """Each payment came by one attempt: two would be money that came in once and was counted twice."""
    succeeded = ChargeAttempt.state == AttemptState.SUCCEEDED
    same_payment = aliased(ChargeAttempt)
    twice = exists().where(same_payment.payment_id == ChargeAttempt.payment_id, same_payment.id != ChargeAttempt.id)
    differing = or_(
        Payment.id.is_(None),
        Payment.amount_minor != ChargeAttempt.amount_minor,
        Payment.currency != ChargeAttempt.currency,
        Payment.customer_id != Invoice.customer_id,
        PaymentMethodOnFile.customer_id != Invoice.customer_id,
        twice,
    )
    wrong = (
        select(ChargeAttempt.public_id)
        .join(Invoice, Invoice.id == ChargeAttempt.invoice_id)
        .join(PaymentMethodOnFile, PaymentMethodOnFile.id == ChargeAttempt.method_id)
        .outerjoin(Payment, Payment.id == ChargeAttempt.payment_id)
        .where(succeeded, differing)
    )
    return Check(
        "Each charge to a card on file that succeeded has its payment, of the same amount",
        proof.count(session, ChargeAttempt, succeeded),
        proof.named(session, wrong.order_by(ChargeAttempt.id), "charge {0}"),
    )


def _refunds(session: Session) -> Check:
    """Total refunds through the gateway, each currency by itself."""
    back = (
        select(Refund.payment_id, Refund.currency, func.sum(Refund.amount_minor).label("amount"))
        .where(Refund.payment_id.is_not(None))
        .group_by(Refund.payment_id, Refund.currency)
        .subquery()
    )
    wrong = (
        select(Payment.id, Payment.public_id)
        .join(back, back.c.payment_id == Payment.id)
        .where(or_(back.c.amount > Payment.amount_minor, back.c.currency != Payment.currency))
        .distinct()
    )
    return Check(
        "No payment went back in more than it came in",
        proof.count(session, Refund, Refund.payment_id.is_not(None)),
        proof.named(session, wrong.order_by(Payment.id), "payment id {0}, {1}"),
    )


def _disputes(session: Session) -> Check:
    fees = (
        select(func.coalesce(func.sum(LedgerPosting.amount_minor), 0))
        .join(LedgerEntry, LedgerEntry.id == LedgerPosting.entry_id)
        .where(
            LedgerEntry.document == literal("dispute:") + cast(Dispute.id, String),
            LedgerPosting.account == Account.FEES,
        )
        .correlate(Dispute)
        .scalar_subquery()
    )
    wrong = select(Dispute.id, Dispute.gateway_id).where(Dispute.fee_minor != fees)
    return Check(
        "What each dispute keeps as its fee is what was posted",
        proof.count(session, Dispute),
        proof.named(session, wrong.order_by(Dispute.id), "dispute {0}, {1}"),
    )


def _sandbox(session: Session) -> Check:
    back = (
        select(SandboxRefund.charge_id, func.sum(SandboxRefund.amount_minor).label("amount"))
        .group_by(SandboxRefund.charge_id)
        .subquery()
    )
    wrong = (
        select(SandboxCharge.intent_id)
        .outerjoin(back, back.c.charge_id == SandboxCharge.id)
        .where(func.coalesce(back.c.amount, 0) != SandboxCharge.refunded_minor)
    )
    return Check(
        "What the sandbox keeps as refunded of each payment is the sum of its refunds",
        proof.count(session, SandboxCharge),
        proof.named(session, wrong.order_by(SandboxCharge.id), "payment {0}"),
    )
