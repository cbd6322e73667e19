"""The embedded sandbox: a ``Gateway`` on tables of our own, through which no money ever moves.

It makes the whole flow work without an account: its page takes test cards, its books record what was "paid" and
refunded, and its signed events come to our own webhook address, as Stripe's would.
"""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.dates import utc_now
from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM, Actor
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode, PaymentLink
from billing_core.online_payments.gateway import (
    AttachedMethod,
    BalanceTransaction,
    Charge,
    Charged,
    Connection,
    CreatedLink,
    Declined,
    GatewayCustomer,
    GatewayRefund,
    OffSessionCharge,
    PaymentDetails,
)
from billing_core.online_payments.models import CardRequest, ChargeAttempt, SandboxCharge, SandboxRefund
from billing_core.online_payments.sandbox import cards_on_file, events, fees
from billing_core.online_payments.sandbox.cards import FAILURES, Outcome
from billing_core.online_payments.sandbox.events import Tried
from billing_core.online_payments.stripe import limits
from billing_core.settings import Settings

_AT_ONCE = 1000


class SandboxGateway:
    """``now_of``: the sandbox's own clock, for its books."""

    def __init__(self, sessions: Sessions, settings: Settings, *, now_of: Callable[[], datetime] = utc_now) -> None:
        self._sessions, self._address, self._now_of = sessions, settings.address, now_of

    @property
    def mode(self) -> Mode:
        return Mode.SANDBOX

    def create_link(self, charge: Charge, way: CollectionWay, *, key: str) -> CreatedLink:
        _payable(charge.amount_minor, charge.currency)
        with self._sessions() as session:
            token = session.scalar(select(PaymentLink.token).where(PaymentLink.public_id == charge.link_id))
        if token is None:
            raise Declined("The sandbox only knows payment links of this product")
        url = f"{self._address}/pay/{token}"
        named = key.removeprefix("lnk_")
        if way is CollectionWay.HOSTED_INVOICE:
            return CreatedLink(url, f"in_sandbox_{named}", f"in_sandbox_{named}")
        return CreatedLink(url, f"plink_sandbox_{named}")

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        """Nothing to do: its page reads our own state of the link."""

    def attach(self, customer: GatewayCustomer, method_id: str, *, key: str) -> AttachedMethod:
        return cards_on_file.attach(customer, method_id, key=key, now=self._now_of())

    def set_up(self, customer: GatewayCustomer, return_url: str, *, key: str) -> str:
        with self._sessions() as session:
            token = session.scalar(select(CardRequest.token).where(CardRequest.public_id == key))
        if token is None:
            raise Declined("The sandbox only knows requests of this product")
        return f"{self._address}/card/{token}/enter"

    def detach(self, gateway_id: str, *, key: str) -> None:
        """Nothing to do: it keeps no cards."""

    def charge_off_session(self, charge: OffSessionCharge, *, key: str) -> Charged:
        _payable(charge.amount_minor, charge.currency)
        with self._sessions.begin() as session:
            return cards_on_file.charge(session, charge, key=key, now=self._now_of())

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        now = self._now_of()
        with self._sessions.begin() as session:
            locked = select(SandboxCharge).where(SandboxCharge.intent_id == intent_id, SandboxCharge.succeeded)
            charge = session.scalars(locked.with_for_update().execution_options(populate_existing=True)).one_or_none()
            if charge is None or charge.currency != currency:
                raise Declined("The sandbox has no such payment: it came in through another gateway")
            refund = session.scalars(select(SandboxRefund).where(SandboxRefund.key == key)).one_or_none()
            if refund is None:
                if amount_minor > charge.amount_minor - charge.refunded_minor:
                    raise Declined("The refund is larger than what is left of the payment")
                refund = SandboxRefund(
                    refund_id=f"re_sandbox_{secrets.token_hex(8)}",
                    key=key,
                    charge_id=charge.id,
                    amount_minor=amount_minor,
                    created_at=now,
                )
                session.add(refund)
                charge.refunded_minor += amount_minor
                session.flush()
                events.tell_refund(session, SYSTEM, _tried(session, charge), now=now)
            return GatewayRefund(refund.refund_id, charge.intent_id, charge.charge_id, charge.refunded_minor)

    def details(self, gateway_key: str) -> PaymentDetails:
        paid = select(SandboxCharge).outerjoin(PaymentLink, PaymentLink.id == SandboxCharge.link_id)
        named = (SandboxCharge.intent_id == gateway_key) | (PaymentLink.stripe_invoice_id == gateway_key)
        with self._sessions() as session:
            charge = session.scalars(paid.where(named, SandboxCharge.succeeded)).one_or_none()
        if charge is None:
            return PaymentDetails(None, None, None)
        return PaymentDetails(charge.intent_id, charge.charge_id, charge.fee_minor)

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        with self._sessions() as session:
            for row in session.execute(_books(start, end), execution_options={"yield_per": _AT_ONCE}):
                yield BalanceTransaction(f"txn_{row.source}", *row)

    def check(self) -> Connection:
        return Connection(Mode.SANDBOX, "", "Sandbox")


def pay(session: Session, actor: Actor, link_id: int, outcome: Outcome, *, now: datetime) -> SandboxCharge:
    """A card payment on the sandbox's page: record the attempt and send its events. No money moves.

    For anybody with the link. Conflict where the link is not or no longer usable.
    """
    locked = select(PaymentLink).where(PaymentLink.id == link_id).with_for_update()
    link = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if link is None or link.mode is not Mode.SANDBOX:
        raise NotFound("There is no such payment link in the sandbox")
    if link.state is not LinkState.ACTIVE or link.expires_at <= now or paid(session, link.id):
        raise Conflict("This payment link cannot be used any more")
    succeeded = outcome is Outcome.SUCCEEDS
    charge = SandboxCharge(
        intent_id=f"pi_sandbox_{secrets.token_hex(12)}",
        charge_id=f"ch_sandbox_{secrets.token_hex(12)}",
        link_id=link.id,
        succeeded=succeeded,
        failure=FAILURES.get(outcome, ""),
        currency=link.currency,
        amount_minor=link.amount_minor,
        fee_minor=fees.of_payment(link.amount_minor) if succeeded else 0,
        refunded_minor=0,
        created_at=now,
    )
    session.add(charge)
    session.flush()
    events.tell_payment(session, actor, _tried(session, charge), now=now)
    return charge


def paid(session: Session, link_id: int) -> bool:
    """Whether the sandbox has taken a payment by this link already. It takes only one."""
    statement = select(SandboxCharge.id).where(SandboxCharge.link_id == link_id, SandboxCharge.succeeded)
    return session.scalar(statement.limit(1)) is not None


def _tried(session: Session, charge: SandboxCharge) -> Tried:
    link = session.get(PaymentLink, charge.link_id) if charge.link_id is not None else None
    attempt = session.get(ChargeAttempt, charge.attempt_id) if charge.attempt_id is not None else None
    asked = link or attempt
    assert asked is not None  # noqa: S101 - every charge is by a link or by an attempt
    return Tried(session.get_one(Invoice, asked.invoice_id), charge, link=link, attempt=attempt)


def _payable(amount_minor: int, currency: str) -> None:
    """The sandbox refuses what Stripe does not take either."""
    if why := limits.refusal(amount_minor, currency):
        raise Declined(why)


def _books(start: datetime, end: datetime) -> Select[*tuple[Any, ...]]:
    """Payments and refunds of a period as one list, oldest first: the columns of a ``BalanceTransaction``."""
    payments = select(
        literal("charge").label("type"),
        SandboxCharge.charge_id.label("source"),
        SandboxCharge.intent_id.label("intent_id"),
        SandboxCharge.currency.label("currency"),
        SandboxCharge.amount_minor.label("amount_minor"),
        SandboxCharge.fee_minor.label("fee_minor"),
        SandboxCharge.created_at.label("created_at"),
    ).where(SandboxCharge.succeeded, SandboxCharge.created_at >= start, SandboxCharge.created_at < end)
    refunds = (
        select(
            literal("refund"),
            SandboxRefund.refund_id,
            SandboxCharge.intent_id,
            SandboxCharge.currency,
            -SandboxRefund.amount_minor,
            literal(0),
            SandboxRefund.created_at,
        )
        .join(SandboxCharge, SandboxCharge.id == SandboxRefund.charge_id)
        .where(SandboxRefund.created_at >= start, SandboxRefund.created_at < end)
    )
    both = union_all(payments, refunds).subquery()
    return select(*both.c).order_by(both.c.created_at, both.c.source)
