"""What has to be there before the customer of a contract signs it: plans, promo codes, credit."""

from sqlalchemy.orm import Session

from billing_core.identity import SYSTEM
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.terms import AddOn, Phase, Terms
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from tests.invoices.company import a_customer
from tests.subscriptions.simulation.contracts import Contract, Plan
from tests.subscriptions.simulation.drawn import FIRST


def a_customer_of(session: Session, number: int, contract: Contract) -> int:
    """The customer's id."""
    currency = "JPY" if contract.places == 0 else "EUR"
    customer_id = a_customer(session, f"C{number}", currency=currency, time_zone=contract.zone, created_at=FIRST)
    for plan in (contract.terms.plan, *contract.further_plans):
        _plan(session, plan, currency)
    if (promo := contract.promo) is not None:
        once = PromoDuration.FOREVER if promo.periods is None else PromoDuration.PERIODS
        given = {"percent": promo.percent, "amount": promo.amount, "duration": once, "periods": promo.periods}
        given |= {"currency": currency} if promo.amount else {}
        given |= {"plan_code": promo.plan}
        promotions.create(session, SYSTEM, NewCode(f"CODE-{number}", **given), now=FIRST)
    if contract.credit:
        amount_minor = int(contract.credit.scaleb(contract.places))
        money = Received(currency, amount_minor, PaymentMethod.BANK_TRANSFER, FIRST.date())
        received.record(
            session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=FIRST.date(), now=FIRST
        )
    return customer_id


def _plan(session: Session, plan: Plan, currency: str) -> None:
    agreed = Terms(
        currency,
        plan.price,
        plan.included_calls,
        plan.call_price,
        interval=PlanInterval(plan.interval),
        interval_count=plan.count,
        timing=BillingTiming.ARREARS if plan.in_arrears else BillingTiming.ADVANCE,
        seat_price=plan.seat_price,
        included_seats=plan.included_seats,
        trial_end=TrialEnd(plan.trial_end),
        ends_after=plan.ends_after,
        add_ons=tuple(AddOn(code, code.title(), {currency: price}) for code, price in plan.add_ons.items()),
        phases=tuple(Phase(periods, percent) for periods, percent in plan.phases),
    )
    plans.create(session, SYSTEM, code=plan.code, name=plan.code.title(), agreed=agreed, now=FIRST)
