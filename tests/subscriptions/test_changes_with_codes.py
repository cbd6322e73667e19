"""Changes of subscriptions with a promo code. *later* is 30.00 a month in arrears, *free* costs nothing in advance; the
others as in ``changed``. Half of the first period's 28 days are left.
"""

import pytest

from billing_core.identity import SYSTEM
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.models import BillingTiming
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions import verification
from tests.subscriptions.changed import changed, charged, found, plans, previewed, subscribed
from tests.subscriptions.signed_up import D, a_plan, at, billed, renewed

ONCE, PERIODS, FOREVER = PromoDuration.ONCE, PromoDuration.PERIODS, PromoDuration.FOREVER


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


@pytest.fixture
def further(sessions) -> None:
    with sessions.begin() as session:
        plans(session)
        a_plan(session, "later", timing=BillingTiming.ARREARS)
        a_plan(session, "free", "0")


def a_code(sessions, **facts) -> str:
    with sessions.begin() as session:
        promotions.create(session, SYSTEM, NewCode("HALF", percent=D(50), **facts), now=at(1, 1))
    return "HALF"


def test_a_promo_code_reduces_the_rest_of_its_period_too_and_is_not_used_up_by_it(sessions, gateway):
    """50 % for two periods: 15.00; then half of 30.00 less half of 15.00; then 30.00, then 60.00."""
    code = a_code(sessions, duration=PERIODS, periods=2)
    public_id = subscribed(sessions, gateway, promo_code=code)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.sums.total_minor, shown.credited_minor, shown.next_invoice.sums.total_minor) == (1_500, 750, 3_000)
    changed(sessions, gateway, public_id, plan_code="team")
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(3, 31))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [1_500, 1_500, 3_000, 6_000]


def test_a_period_of_another_length_uses_one_of_the_promo_code(sessions, gateway):
    code = a_code(sessions, duration=PERIODS, periods=2)
    public_id = subscribed(sessions, gateway, promo_code=code)
    shown = previewed(sessions, public_id, plan_code="year")
    assert (shown.sums.total_minor, shown.credited_minor, shown.next_invoice.sums.total_minor) == (18_000, 750, 36_000)
    changed(sessions, gateway, public_id, plan_code="year", token=shown.token)
    with sessions() as session:
        assert found(session, public_id).promo_periods_used == 2


def test_of_a_period_that_ends_early_in_arrears_the_promo_code_is_used_first(sessions, gateway, further):
    """50 % once: half of 30.00 for 14 of 28 days, 7.50; the year is 360.00."""
    code = a_code(sessions, duration=ONCE)
    public_id = subscribed(sessions, gateway, "later", promo_code=code)
    shown = previewed(sessions, public_id, plan_code="year")
    assert [line.amount_minor for line in shown.lines] == [36_000, 750]
    changed(sessions, gateway, public_id, plan_code="year", token=shown.token)
    with sessions() as session:
        assert (charged(session), found(session, public_id).promo_periods_used) == ([36_750], 1)
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


def test_a_promo_code_for_one_plan_reduces_no_other(sessions, gateway):
    with sessions.begin() as session:
        plans(session)
    code = a_code(sessions, plan_code="pro", duration=FOREVER)
    public_id = subscribed(sessions, gateway, promo_code=code)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.sums.total_minor, shown.credited_minor, shown.next_invoice.sums.total_minor) == (3_000, 750, 6_000)


@pytest.mark.parametrize(("duration", "following"), [(FOREVER, 3_750), (ONCE, 6_750)])
def test_from_arrears_to_advance_a_promo_code_reduces_all_of_the_period_and_counts_it_once(
    sessions, gateway, further, duration, following
):
    """Half of 60.00 less 50 %; then half of 30.00 less 50 %, with 60.00, which the code reduces if it lasts."""
    code = a_code(sessions, duration=duration)
    public_id = subscribed(sessions, gateway, "later", promo_code=code)
    shown = previewed(sessions, public_id, plan_code="team")
    assert (shown.sums.total_minor, shown.next_invoice.sums.total_minor) == (1_500, following)
    changed(sessions, gateway, public_id, plan_code="team", token=shown.token)
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [1_500, following]
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


@pytest.mark.parametrize(("duration", "inside"), [(FOREVER, 1_500), (ONCE, 3_000)])
def test_in_a_period_that_cost_nothing_a_promo_code_counts_only_if_it_lasts_for_ever(
    sessions, gateway, further, duration, inside
):
    """Half of 60.00; a code for one period reduces the next one."""
    code = a_code(sessions, duration=duration)
    public_id = subscribed(sessions, gateway, "free", promo_code=code)
    changed(sessions, gateway, public_id, plan_code="team")
    with sessions() as session:
        subscription_id = found(session, public_id).id
    renewed(sessions, subscription_id, at(2, 28))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [inside, 3_000]
