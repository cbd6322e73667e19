"""Whatever is moved and withdrawn in whatever order, and however late the renewals run, each period is billed once at
the price that its first day says.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.dates import add_months
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.models import Plan, PlanInterval
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import verification
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import PlanMove
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from tests.subscriptions.moving.moves import NOTICE, a_version
from tests.subscriptions.signed_up import a_plan, a_subscription, at, billed, renewed, state

PRICES = {1: 3_000, 2: 4_000, 3: 5_000}
TEAM = 6_000
BOUNDARIES = [add_months(date(2026, 1, 31), months) for months in range(14)]


@pytest.fixture
def database_url(sqlite_url) -> str:
    """What begins with which period is not said in SQL."""
    return sqlite_url


@dataclass
class Plain:
    """One subscription in plain values: the version that it is on, and the move that waits."""

    version: int = 1
    waiting: tuple[int, date] | None = None
    to_team: bool = False
    on_team: bool = False
    bills: list[tuple[date, int]] = field(default_factory=lambda: [(BOUNDARIES[0], PRICES[1])])

    def renew(self, today: date) -> None:
        while (day := BOUNDARIES[len(self.bills)]) <= today:
            if self.to_team:
                self.on_team, self.waiting = True, None
            if self.waiting and self.waiting[1] <= day:
                self.version, self.waiting = self.waiting[0], None
            self.bills.append((day, TEAM if self.on_team else PRICES[self.version]))

    def may_move(self, version: int) -> bool:
        return not (self.waiting or self.to_team) and self.version < version


actions = st.sampled_from(["renew", "move", "move further", "withdraw", "team"])
steps = st.lists(st.tuples(st.integers(0, 45), actions, st.integers(0, 40)), min_size=2, max_size=7)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_order_of_moves_bills_each_period_by_its_first_day(sessions, data_dir, steps):
    gateway = SandboxGateway(sessions, product_settings())
    with sessions.begin() as session:
        code = f"plan-{session.query(Plan).count()}"
        a_plan(session, code)
        a_plan(session, f"{code}-team", "60")
        subscription_id = a_subscription(session, code, ref=code)
        public_id = state(session, subscription_id).public_id
        a_version(session, code)
        a_version(session, code, "50")
    plain, now = Plain(), at(1, 31, 12)
    for days, action, more in steps:
        now += timedelta(days=days)
        # Without waiting for anybody's yes.
        if action in ("renew", "team") or BOUNDARIES[len(plain.bills) + 1] <= now.date():
            renewed(sessions, subscription_id, now)
            plain.renew(now.date())
        if action.startswith("move"):
            version = 2 if action == "move" else 3
            asked = Asked(code, version, now.date() + timedelta(days=NOTICE + more))
            limits = {"today": now.date(), "notice_days": NOTICE}
            with sessions.begin() as session:
                token = rehearsing.rehearse(session, SYSTEM, asked, **limits).token
                try:
                    service.move(session, SYSTEM, asked, token, now=now, **limits)
                    done = True
                except Invalid:
                    done = False
            assert done == plain.may_move(version)
            if done:
                plain.waiting = (version, asked.first_day)
        elif action == "withdraw" and plain.waiting:
            with sessions.begin() as session:
                newest = select(PlanMove.id).order_by(PlanMove.id.desc()).limit(1)
                service.withdraw(session, SYSTEM, session.scalars(newest).one(), now=now)
            plain.waiting = None
        elif action == "team" and not plain.to_team:
            wanted = Wanted(f"{code}-team", when=When.PERIOD_END)
            changing.change(sessions, SYSTEM, gateway, public_id, wanted, now=now)
            plain.to_team = True
    renewed(sessions, subscription_id, now)
    plain.renew(now.date())
    with sessions() as session:
        assert billed(session, subscription_id) == plain.bills
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


@given(
    st.dates(date(2020, 1, 1), date(2029, 12, 31)),
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.sampled_from(PlanInterval),
    st.integers(1, 5),
)
@settings(max_examples=100, deadline=None)
def test_the_first_boundary_from_a_day_on_is_found(anchor_day, day, interval, count):
    cycle = Cycle.of_days(anchor_day, interval, count)
    number = cycle.first_from(day)
    assert cycle.day(number) >= day
    assert number == 0 or cycle.day(number - 1) < day
