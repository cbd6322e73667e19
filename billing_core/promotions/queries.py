"""Reads of promo codes: one by what a customer typed, and whether it can be redeemed."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.dates import day_in
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.models import Plan
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.new_codes import key_of
from billing_core.promotions.reductions import PromoTerms, in_another_currency, terms_of
from billing_core.text import control_character


@dataclass(frozen=True, slots=True)
class Redeemer:
    """Who redeems a code for what: a customer, for a subscription to a plan that is billed in ``currency``."""

    customer_id: int
    plan_id: int
    currency: str


def for_change(session: Session, code: str) -> PromoCode:
    """With its row locked until the transaction ends; NotFound."""
    found = _found(session, code, locked=True)
    if found is None:
        raise NotFound("There is no such promo code")
    return found


def redeemable(session: Session, actor: Actor, code: str, redeemer: Redeemer, *, now: datetime) -> PromoTerms:
    """What the code would promise if it were redeemed now, such as for a preview; Invalid says why it cannot be."""
    actor.require(Permission.PROMO_READ)
    return terms_of(checked(session, actor, code, redeemer, now=now))


def checked(
    session: Session, actor: Actor, code: str, redeemer: Redeemer, *, now: datetime, locked: bool = False
) -> PromoCode:
    """The code, where this customer can redeem it now; otherwise Invalid says why. Only of a ``locked`` one does the
    answer hold until the transaction ends.
    """
    found = _found(session, code, locked=locked)
    if found is None:
        raise refusal("There is no such promo code")
    zone = _zone(session, actor, redeemer.customer_id)
    if found.ended_at is not None and found.ended_at <= now:
        raise refusal("This promo code has ended")
    if found.valid_to is not None and day_in(zone, now) > found.valid_to:
        raise refusal(f"This promo code has expired: its last day was {found.valid_to}")
    if found.plan_id not in (None, redeemer.plan_id):
        plan_code = session.scalar(select(Plan.code).where(Plan.id == found.plan_id))
        raise refusal(f"This promo code is for the plan {plan_code} alone")
    if found.currency not in (None, redeemer.currency):
        raise in_another_currency(found.currency or "", redeemer.currency)
    if found.limit is not None and _redemptions(session, found.id) >= found.limit:
        raise refusal("This promo code is used up: it was redeemed as often as it could be")
    if (
        found.limit_per_customer is not None
        and _redemptions(session, found.id, redeemer.customer_id) >= found.limit_per_customer
    ):
        raise refusal("This promo code is used up for this customer, who has redeemed it as often as it could be")
    return found


def refusal(reason: str) -> Invalid:
    """Of a promo code that a customer gave, in a sentence for that customer."""
    return Invalid(reason, fields={"promo_code": reason})


def _found(session: Session, code: str, *, locked: bool) -> PromoCode | None:
    if control_character(code) is not None:
        return None
    statement = select(PromoCode).where(PromoCode.key == key_of(code))
    if locked:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).one_or_none()


def _zone(session: Session, actor: Actor, customer_id: int) -> str:
    """In whose days the code expires."""
    own = select(Business.time_zone).join(Customer, Customer.business_id == Business.id)
    zone = session.scalar(own.where(Customer.id == customer_id, visible_to(actor)))
    if zone is None:
        raise NotFound(f"There is no customer {customer_id}")
    return zone


def _redemptions(session: Session, code_id: int, customer_id: int | None = None) -> int:
    """How many count: of this customer, or of all. Where there is a limit they are never many more than it."""
    counted = select(func.count()).where(PromoRedemption.code_id == code_id, PromoRedemption.released_at.is_(None))
    if customer_id is not None:
        counted = counted.where(PromoRedemption.customer_id == customer_id)
    return session.scalar(counted.select_from(PromoRedemption)) or 0
