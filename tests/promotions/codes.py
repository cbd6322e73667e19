"""Promo codes for tests: ``WELCOME`` takes 20 % off the first period of any plan."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.plans.models import Plan
from billing_core.promotions import redeeming, service
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.new_codes import NewCode
from tests.plans.agreed import a_plan
from tests.reports.company import a_customer

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def a_code(session: Session, code: str = "WELCOME", **facts: Any) -> PromoCode:
    reduces = {} if "amount" in facts else {"percent": Decimal(20)}
    return service.create(session, SYSTEM, NewCode(code=code, **reduces, **facts), now=NOW)


def a_plan_id(session: Session, code: str = "basic") -> int:
    a_plan(session, code)
    return session.scalars(select(Plan.id).where(Plan.code == code)).one()


def customers(session: Session, number: int) -> list[int]:
    return [a_customer(session, f"C{place}", name=f"Customer {place}", priced=False) for place in range(number)]


def redeem(
    session: Session, code: str, customer_id: int, plan_id: int, subject: str = "sub_1", **facts: Any
) -> PromoRedemption:
    agreed = {"currency": "USD", "now": NOW} | facts
    return redeeming.redeem(session, SYSTEM, code, customer_id=customer_id, plan_id=plan_id, subject=subject, **agreed)
