"""Whatever is changed in whatever order, what is charged less what is credited is what plain arithmetic says."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import floor

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import verification
from billing_core.subscriptions.changes import cancelling, changing
from billing_core.subscriptions.changes.closing import Ending
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import SubscriptionCharge
from tests.subscriptions.changed import plans
from tests.subscriptions.signed_up import a_subscription, at, renewed, state

# In cents: the plan, a further seat, one of the add-on.
PRICES = {"pro": (3_000, None, None), "team": (6_000, None, None), "seats": (1_000, 500, 700)}
BOUNDARIES = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@dataclass
class Plain:
    """One subscription in lists: charges are [part, unit, quantity, cents, first day, last day, still running]."""

    plan: str = "pro"
    seats: int = 1
    support: int = 0
    later: list[tuple[str, int, int]] = field(default_factory=list)
    period: int = 0
    charges: list[list] = field(default_factory=list)
    credited: int = 0

    @property
    def last_day(self) -> date:
        return BOUNDARIES[self.period + 1] - timedelta(days=1)

    @property
    def days(self) -> int:
        return (BOUNDARIES[self.period + 1] - BOUNDARIES[self.period]).days

    def parts(self, plan: str, seats: int, support: int) -> dict[str, tuple[int, int]]:
        price, seat, add_on = PRICES[plan]
        found = {"plan": (price, 1)}
        if seat and seats > 1:
            found["seats"] = (seat, seats - 1)
        if add_on and support:
            found["support"] = (add_on, support)
        return found

    def charge(self, part: str, unit: int, quantity: int, first: date) -> None:
        left = (self.last_day - first).days + 1
        cents = rounded(Fraction(unit * quantity * left, self.days))
        self.charges.append([part, unit, quantity, cents, first, self.last_day, True])

    def credit(self, first: date, but_for: frozenset[str] = frozenset()) -> None:
        for one in self.charges:
            part, _, _, cents, start, end, running = one
            if running and part not in but_for and end >= first:
                left = (end - max(first, start)).days + 1
                given_back = rounded(Fraction(cents * left, (end - start).days + 1))
                self.credited += given_back
                one[-1] = not given_back

    def begin(self) -> None:
        for part, (unit, quantity) in self.parts(self.plan, self.seats, self.support).items():
            self.charge(part, unit, quantity, BOUNDARIES[self.period])

    def change(self, day: date, plan: str, seats: int, support: int) -> None:
        if day <= self.last_day:
            old, new = self.parts(self.plan, self.seats, self.support), self.parts(plan, seats, support)
            kept = frozenset(
                part
                for part, (unit, quantity) in new.items()
                if part in old and old[part][0] == unit and quantity >= old[part][1]
            )
            self.credit(day, kept)
            for part, (unit, quantity) in new.items():
                more = quantity - old[part][1] if part in kept else quantity
                if more:
                    self.charge(part, unit, more, day)
        self.plan, self.seats, self.support = plan, seats, support

    def renew(self) -> None:
        self.period += 1
        if self.later:
            self.plan, self.seats, self.support = self.later[-1]
        self.later = []
        self.begin()


terms = st.sampled_from(
    [("pro", 1, 0), ("team", 1, 0), ("seats", 1, 0), ("seats", 3, 0), ("seats", 4, 2), ("seats", 2, 1)]
)
steps = st.lists(st.tuples(st.integers(0, 12), terms, st.sampled_from([None, *When])), min_size=1, max_size=6)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.booleans())
@example(
    steps=[(4, ("seats", 3, 0), None), (12, ("pro", 1, 0), When.PERIOD_END), (12, ("team", 1, 0), None)], ends=False
)
def test_any_order_of_changes_and_renewals_adds_up(sessions, data_dir, steps, ends):
    gateway = SandboxGateway(sessions, product_settings())
    with sessions.begin() as session:
        if session.scalar(select(Customer.id)) is None:
            plans(session)
        subscription_id = a_subscription(session)
        public_id = state(session, subscription_id).public_id
    plain = Plain()
    plain.begin()
    now = at(1, 31, 12)
    for days, (plan, seats, support), when in steps:
        now += timedelta(days=days)
        while BOUNDARIES[plain.period + 1] <= now.date():
            renewed(sessions, subscription_id, now.replace(hour=10))
            plain.renew()
            if plain.period == len(BOUNDARIES) - 2:
                break
        if BOUNDARIES[plain.period + 1] <= now.date():
            break
        add_ons = {"support": support} if support else {}
        wanted = Wanted(plan, seats, add_ons, when)
        with sessions() as session:
            try:
                shown = changing.preview(session, SYSTEM, public_id, wanted, now=now)
            except Invalid:
                # Nothing would change.
                continue
        changing.change(sessions, SYSTEM, gateway, public_id, wanted, token=shown.token, now=now)
        charged_before, credited_before = sum(one[3] for one in plain.charges), plain.credited
        if shown.when is When.PERIOD_END:
            plain.later.append((plan, seats, support))
        else:
            plain.change(now.date(), plan, seats, support)
        assert shown.sums.total_minor == sum(one[3] for one in plain.charges) - charged_before
        assert shown.credited_minor == plain.credited - credited_before
    if ends:
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(), now=now)
        plain.credit(now.date() + timedelta(days=1))
    with sessions() as session:
        of_it = SubscriptionCharge.subscription_id == subscription_id
        rows = session.scalars(select(SubscriptionCharge).where(of_it).order_by(SubscriptionCharge.id)).all()
        assert sum(one.net_minor for one in rows) == sum(one[3] for one in plain.charges)
        assert sum(one.credited_minor for one in rows) == plain.credited
        assert all(one.credited_minor <= one.net_minor for one in rows)
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []
