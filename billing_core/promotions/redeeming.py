"""Redeeming a promo code for a subscription, and taking that back where the subscription did not come about."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.queries import visible_to
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.queries import Redeemer, checked, refusal


def redeem(
    session: Session,
    actor: Actor,
    code: str,
    *,
    customer_id: int,
    plan_id: int,
    currency: str,
    subject: str,
    now: datetime,
) -> PromoRedemption:
    """Once for ``subject``, such as ``sub_…``; Invalid says of ``promo_code`` why it cannot be.

    The code's row stays locked until the transaction ends, so that its limits hold however many redeem it at once:
    whoever locks the customer too does that before.
    """
    actor.require(Permission.PROMO_WRITE)
    redeemer = Redeemer(customer_id, plan_id, currency)
    found = checked(session, actor, code, redeemer, now=now, locked=True)
    if _holds(session, found.id, subject):
        raise refusal("This promo code is redeemed for this subscription already")
    redemption = PromoRedemption(code_id=found.id, customer_id=customer_id, subject=subject, redeemed_at=now)
    session.add(redemption)
    session.flush()
    after = {"customer_id": customer_id, "subject": subject}
    audit.record(session, actor, "promo_code.redeem", ("promo_code", found.id), label=found.code, after=after, now=now)
    return redemption


def release(session: Session, actor: Actor, redemption_id: int, now: datetime) -> None:
    """It counts no more, such as when the first charge was declined. A second time changes nothing; NotFound."""
    actor.require(Permission.PROMO_WRITE)
    statement = (
        select(PromoRedemption)
        .where(PromoRedemption.id == redemption_id, visible_to(actor, PromoRedemption.customer_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    redemption = session.scalars(statement).one_or_none()
    if redemption is None:
        raise NotFound(f"There is no redemption {redemption_id}")
    if redemption.released_at is not None:
        return
    code = session.scalar(select(PromoCode.code).where(PromoCode.id == redemption.code_id)) or ""
    redemption.released_at = now
    after = {"customer_id": redemption.customer_id, "subject": redemption.subject}
    subject = ("promo_code", redemption.code_id)
    audit.record(session, actor, "promo_code.release", subject, label=code, after=after, now=now)


def _holds(session: Session, code_id: int, subject: str) -> bool:
    kept = select(PromoRedemption.id).where(
        PromoRedemption.code_id == code_id,
        PromoRedemption.subject == subject,
        PromoRedemption.released_at.is_(None),
    )
    return session.scalar(kept) is not None
