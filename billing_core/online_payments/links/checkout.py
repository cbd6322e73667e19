"""What the holder of a payment link sees, without signing in: what it asks for, and whether it is still usable."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.errors import NotFound
from billing_core.invoices import issuers
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.online_payments.gateway import Charge
from billing_core.online_payments.sandbox import gateway as sandbox


class Step(enum.StrEnum):
    """PAYABLE: at ``url``, or in the sandbox on our own page. CONFIRMING: paid there, and its event is awaited. ENDED:
    the link is no longer usable; for a sandbox link, also where Stripe collects now.
    """

    PAYABLE = "payable"
    CONFIRMING = "confirming"
    PAID = "paid"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Checkout:
    """Amounts in minor units of ``charge.currency``. ``invoice_token`` leads to the invoice's own page."""

    link_id: int
    step: Step
    sandbox: bool
    url: str
    charge: Charge
    number: str
    invoice_token: str
    language: str
    issuer: str


def by_token(session: Session, token: str, *, mode: Mode, now: datetime) -> Checkout:
    """The checkout of a payment link. NotFound also while the link is being created, or where its creation failed.

    ``mode``: the mode in which the product collects now.
    """
    row = session.execute(
        select(PaymentLink, Invoice)
        .join(Invoice, Invoice.id == PaymentLink.invoice_id)
        .where(PaymentLink.token == token.replace("\0", ""), PaymentLink.activated_at.is_not(None))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such payment link")
    link, invoice = row
    return Checkout(
        link_id=link.id,
        step=_step(session, link, mode, now),
        sandbox=link.mode is Mode.SANDBOX,
        url=link.url or "",
        charge=Charge.of(link.charge),
        number=invoice.number or "",
        invoice_token=invoice.token,
        language=invoice.language,
        issuer=issuers.of_invoice(session, invoice).name,
    )


def note_click(session: Session, link_id: int, *, now: datetime) -> None:
    """The customer has opened the link."""
    clicked = {"clicks": PaymentLink.clicks + 1, "last_clicked_at": now}
    session.execute(update(PaymentLink).where(PaymentLink.id == link_id).values(clicked))


def _step(session: Session, link: PaymentLink, mode: Mode, now: datetime) -> Step:
    if link.state is LinkState.PAID:
        return Step.PAID
    # Nobody who wants to pay real money is shown the sandbox, whose events are no longer accepted.
    if link.state is not LinkState.ACTIVE or (link.mode is Mode.SANDBOX and mode is not Mode.SANDBOX):
        return Step.ENDED
    if link.mode is Mode.SANDBOX and sandbox.paid(session, link.id):
        return Step.CONFIRMING
    return Step.PAYABLE if link.expires_at > now else Step.ENDED
