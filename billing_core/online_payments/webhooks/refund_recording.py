"""Recording a gateway's refunds of a payment: once, however often and in whatever order they are reported."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes
from billing_core.invoices import queries as invoices
from billing_core.invoices.content.totals import Share
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.models import CaseKind, PaymentCase, RefundRequest, RefundRequestState
from billing_core.online_payments.webhooks.facts import RefundFailed
from billing_core.payments import chargeback_sources, credit, refunds
from billing_core.payments import queries as payments
from billing_core.payments.models import Allocation, AllocationKind, Payment, PaymentMethod, Refund, RefundSource
from billing_core.payments.refunds import MoneyBack

ASKED, DONE = RefundRequestState.ASKED, RefundRequestState.DONE


@dataclass(frozen=True, slots=True)
class _Back:
    """Why money went back, and when. ``parts``: what that credits of the invoice; None: the same share of all."""

    reason: str
    refunded_on: date
    today: date
    now: datetime
    parts: tuple[Share, ...] | None = None


def note_refunded(
    session: Session,
    actor: Actor,
    payment_id: int,
    refunded_minor: int,
    *,
    reason: str,
    refunded_on: date,
    today: date,
    now: datetime,
    request: RefundRequest | None = None,
) -> list[Refund]:
    """Of this payment ``refunded_minor`` minor units have been refunded in total: record the part that is new.

    The money comes from the invoice that the payment paid, otherwise from the customer's credit; the rest becomes a
    case. A refund requested here has the reason and the user of ``request``, or of the unanswered requests where the
    event comes before the answer.
    """
    actor.require(Permission.PAYMENT_WRITE)
    payment = payments.for_change(session, actor, payment_id)
    left = min(refunded_minor, payment.amount_minor) - recorded(session, payment_id)
    requests = [request] if request is not None else _awaited(session, payment_id)
    back = _Back(reason, min(refunded_on, today), today, now)
    made: list[Refund] = []
    for one in requests:
        if 0 < one.amount_minor <= left:
            requester = Actor(one.created_by_id, one.created_by, actor.permissions)
            as_asked = replace(back, reason=one.reason, parts=_parts_of(one))
            booked = _book(session, requester, payment, one.amount_minor, as_asked)
            left -= one.amount_minor
            made += booked
            _done(one, booked)
        elif request is not None and one.state is ASKED:
            # The event came first, without knowing of the request.
            _done(one, [])
    if left > 0:
        made += _book(session, actor, payment, left, back)
    if made and recorded(session, payment_id) == payment.amount_minor:
        cases.settle_of_payment(session, actor, payment_id, settlement="The money went back to the payer", now=now)
    session.flush()
    return made


def note_failed(
    session: Session, actor: Actor, payment: Payment, invoice_id: int | None, failed: RefundFailed, *, now: datetime
) -> PaymentCase:
    """A refund did not reach the payer. Our books show it as paid, which is right once it is paid another way."""
    actor.require(Permission.PAYMENT_WRITE)
    amount = Money(failed.amount_minor, failed.currency)
    why = f" ({failed.reason})" if failed.reason else ""
    cause = Cause(
        key=f"refund_failed:{failed.refund_id}",
        kind=CaseKind.REFUND_FAILED,
        customer_id=payment.customer_id,
        invoice_id=invoice_id,
        payment_id=payment.id,
        currency=failed.currency,
        amount_minor=failed.amount_minor,
        said=f"The refund of {amount} did not reach the payer{why}: the payment service has the money again. "
        "Pay it back in another way, and note how",
    )
    return cases.open_case(session, actor, cause, now=now)


def one_failed(session: Session, payment_id: int) -> bool:
    """Whether a refund of this payment failed to reach the payer."""
    failed = (PaymentCase.payment_id == payment_id, PaymentCase.kind == CaseKind.REFUND_FAILED)
    return session.scalar(select(PaymentCase.id).where(*failed).limit(1)) is not None


def recorded(session: Session, payment_id: int) -> int:
    """The total recorded as refunded of a payment, in minor units: refunds, and what became a case."""
    refunded = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(Refund.payment_id == payment_id)
    unmatched = select(func.coalesce(func.sum(PaymentCase.amount_minor), 0)).where(
        PaymentCase.payment_id == payment_id, PaymentCase.kind == CaseKind.REFUND_UNMATCHED
    )
    return int(session.scalar(refunded) or 0) + int(session.scalar(unmatched) or 0)


def kept_parts(parts: Sequence[Share]) -> list[dict[str, Any]]:
    """As they are kept with a request."""
    return [
        {"type": str(part.type), "rate": f"{part.rate:f}", "net_minor": part.net_minor, "tax_minor": part.tax_minor}
        for part in parts
    ]


def _parts_of(request: RefundRequest) -> tuple[Share, ...] | None:
    if request.parts is None:
        return None
    return tuple(
        Share(part["type"], Decimal(part["rate"]), part["net_minor"], part["tax_minor"]) for part in request.parts
    )


def _awaited(session: Session, payment_id: int) -> list[RefundRequest]:
    statement = select(RefundRequest).where(RefundRequest.payment_id == payment_id, RefundRequest.state == ASKED)
    return list(session.scalars(statement.order_by(RefundRequest.id)))


def _done(request: RefundRequest, booked: list[Refund]) -> None:
    request.state, request.last_error = DONE, ""
    if booked:
        request.refund_id = booked[0].id


def _book(session: Session, actor: Actor, payment: Payment, amount: int, back: _Back) -> list[Refund]:
    """Record ``amount`` as refunded, from wherever this payment's money is."""
    gone = recorded(session, payment.id) + chargeback_sources.taken_of(session, payment.id)
    # Of what a bank took back as well, nothing is left: it went twice.
    possible = 0 if payment.undone_at else max(min(amount, payment.amount_minor - gone), 0)
    made: list[Refund] = []
    for refund in _sources(session, actor, payment, possible, back):
        refund.payment_id = payment.id
        made.append(refund)
    session.flush()
    if left := amount - sum(refund.amount_minor for refund in made):
        _unmatched(session, actor, payment, left, back.now)
    return made


def _sources(session: Session, actor: Actor, payment: Payment, amount: int, back: _Back) -> Iterator[Refund]:
    """A refund from each place where the payment's money is, until ``amount`` is reached."""
    left = amount
    for allocation in _allocations(session, payment, AllocationKind.PAYMENT):
        if left:
            invoice = invoices.for_change(session, actor, allocation.invoice_id)
            if invoice.state is InvoiceState.PAID:
                rest = allocation.amount_minor - _refunded(session, payment.id, invoice.id)
                if refund := _take_back(session, actor, payment, invoice, min(left, rest), back):
                    left -= refund.amount_minor
                    yield refund
            else:
                credit.release(session, actor, allocation.id, reason=back.reason, today=back.today, now=back.now)
    if left and (refund := _pay_out(session, actor, payment, left, back)):
        left -= refund.amount_minor
        yield refund
    # It became credit, and the invoice was paid from that since.
    for allocation in _allocations(session, payment, AllocationKind.CREDIT):
        if left:
            invoice = invoices.for_change(session, actor, allocation.invoice_id)
            if invoice.state is InvoiceState.PAID:
                meanwhile = replace(back, parts=None)
                taken = _take_back(session, actor, payment, invoice, min(left, allocation.amount_minor), meanwhile)
            else:
                credit.release(session, actor, allocation.id, reason=back.reason, today=back.today, now=back.now)
                taken = _pay_out(session, actor, payment, left, back)
            if taken:
                left -= taken.amount_minor
                yield taken


def _allocations(session: Session, payment: Payment, kind: AllocationKind) -> list[Allocation]:
    """The payment's standing allocations: its own, or from credit to the invoices that it was meant for."""
    condition = Allocation.payment_id == payment.id
    if kind is AllocationKind.CREDIT:
        meant = select(PaymentCase.invoice_id).where(PaymentCase.payment_id == payment.id)
        condition = Allocation.invoice_id.in_(meant)
    statement = (
        select(Allocation)
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .where(condition, Allocation.kind == kind, Allocation.undone_at.is_(None), Invoice.currency == payment.currency)
    )
    return list(session.scalars(statement.order_by(Allocation.invoice_id, Allocation.id)))


def _refunded(session: Session, payment_id: int, invoice_id: int) -> int:
    of_both = (Refund.payment_id == payment_id, Refund.invoice_id == invoice_id, Refund.source == RefundSource.INVOICE)
    return int(session.scalar(select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(*of_both)) or 0)


def _take_back(
    session: Session, actor: Actor, payment: Payment, invoice: Invoice, amount: int, back: _Back
) -> Refund | None:
    possible = min(amount, refunds.in_money(session, invoice))
    if possible <= 0:
        return None
    # An invoice is not refunded before its own date, nor before its last payment came in; the gateway knows neither.
    on = max(back.refunded_on, refunds.possible_days(session, invoice.id, invoice.issued_on, today=back.today).start)
    parts = back.parts if back.parts is not None and _fit(session, invoice, back.parts, possible) else None
    money_back = MoneyBack(back.reason, PaymentMethod.STRIPE, on, possible, payment.reference, parts)
    return refunds.refund(session, actor, invoice.id, wanted=money_back, today=max(back.today, on), now=back.now)


def _fit(session: Session, invoice: Invoice, parts: Sequence[Share], amount: int) -> bool:
    """Whether they are so much, and nothing else has credited them meanwhile."""
    left = {(one.type, one.rate): one for one in credit_notes.left(session, invoice)}

    def is_left(part: Share) -> bool:
        of_it = left.get((part.type, part.rate))
        return of_it is not None and part.net_minor <= of_it.net_minor and part.tax_minor <= of_it.tax_minor

    return sum(part.net_minor + part.tax_minor for part in parts) == amount and all(map(is_left, parts))


def _pay_out(session: Session, actor: Actor, payment: Payment, amount: int, back: _Back) -> Refund | None:
    available = credit.balance(session, payment.business_id, payment.customer_id, payment.currency).minor
    possible = min(amount, available)
    if possible <= 0:
        return None
    return credit.pay_out(
        session,
        actor,
        customer_id=payment.customer_id,
        business_id=payment.business_id,
        amount=Money(possible, payment.currency),
        method=PaymentMethod.STRIPE,
        reason=back.reason,
        today=max(back.refunded_on, payment.received_on),
        now=back.now,
        reference=payment.reference,
    )


def _unmatched(session: Session, actor: Actor, payment: Payment, amount: int, now: datetime) -> None:
    """The money is gone, and nothing in our books can account for it."""
    by_now = recorded(session, payment.id) + amount
    cause = Cause(
        key=f"refund:{payment.id}:{by_now}",
        kind=CaseKind.REFUND_UNMATCHED,
        customer_id=payment.customer_id,
        payment_id=payment.id,
        currency=payment.currency,
        amount_minor=amount,
        said=f"{Money(amount, payment.currency)} of the payment {payment.reference} went back to the payer, but the "
        "invoice that it paid has nothing left to give back, and the customer has too little credit",
    )
    cases.open_case(session, actor, cause, now=now)
