"""Plans and customers for tests: ``basic`` includes 10,000 calls, and one more costs 0.001 USD."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.plans import service
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import Terms

NOW = datetime(2023, 9, 1, 12, tzinfo=UTC)


def terms(
    included_calls: int = 10_000, price_per_call: str = "0.001", price: str = "29", currency: str = "USD"
) -> Terms:
    return Terms(currency, Decimal(price), included_calls, Decimal(price_per_call), PlanInterval.MONTH)


def a_plan(session: Session, code: str = "basic", agreed: Terms | None = None) -> str:
    service.create(session, SYSTEM, code=code, name=code.title(), agreed=agreed or terms(), now=NOW)
    return code
