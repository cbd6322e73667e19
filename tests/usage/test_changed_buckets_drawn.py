"""Whatever becomes of buckets between bills: each bill beside a computation that knows nothing of the product."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import service
from billing_core.metering import withdrawal
from billing_core.metering.models import HOLDS_ON, UsagePeriod
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.usage import late
from billing_core.usage.billed import explaining, lines
from tests.arrivals import Dealt, arriving
from tests.plans.agreed import NOW, terms
from tests.usage import naive
from tests.usage.changing_buckets import (
    MONTHS,
    OCTOBER,
    PRICES,
    D,
    acme,
    assert_proven,
    at,
    bill,
    change,
    each,
    retire,
    tell,
)
from tests.usage.naive import Told

__all__ = ["acme"]

REGIONS = st.sampled_from(["eu", "us", "uk", "elsewhere"])
EVENTS = st.tuples(st.integers(0, 3), st.integers(1, 28), st.sampled_from(["0", "3", "12.5", "0.000001"]), REGIONS)
# What the facts of each step are drawn from.
STEPS = {
    "tell": (st.lists(EVENTS, min_size=1, max_size=4),),
    "withdraw": (st.integers(0, 50),),
    "bill": (st.integers(0, 3),),
    "bill_anew": (st.integers(0, 3),),
    "change": (st.sampled_from(["eu", "us", "gold"]), st.frozensets(REGIONS, min_size=1, max_size=3)),
}


class History:
    """One customer's levels, its bills, and the buckets by which each was made."""

    def __init__(self, session, customer_id, arrived):
        self.session, self.customer_id, self.arrived = session, customer_id, arrived
        self.counted = {}
        self.buckets = {"eu": {"eu"}, "us": {"no us"}, "gold": {"no gold"}}
        # By the place of the month.
        self.by_bill = {}
        self.names = 0

    def tell(self, events):
        for place, day, quantity, region in events:
            month = MONTHS[place].start
            self.names += 1
            recorded = tell(self.session, f"{self.names}", quantity, month.month, day, region=region)
            at_midnight = datetime(month.year, month.month, day, tzinfo=UTC)
            self.counted[f"{self.names}"] = Told(at_midnight, f"{self.names}", "", D(quantity), region)
            if recorded.late and place not in self.by_bill:
                self.arrived("carried late")

    def withdraw(self, place):
        if self.counted:
            name = list(self.counted)[place % len(self.counted)]
            for kind in HOLDS_ON:
                event_id = f"{name} {kind}"
                withdrawal.withdraw(self.session, SYSTEM, self.customer_id, event_id, reason="A test", now=at(3))
            del self.counted[name]

    def bill(self, place):
        bill(self.session, self.customer_id, MONTHS[place])
        self.by_bill.setdefault(place, dict(self.buckets))
        if len({tuple(map(str, kept.items())) for kept in self.by_bill.values()}) > 1:
            self.arrived("other buckets")

    def bill_anew(self, place):
        made = bill(self.session, self.customer_id, MONTHS[place])
        self.by_bill.setdefault(place, dict(self.buckets))
        if made.invoice_id is None:
            return
        with self.session.begin_nested() as discarded:
            service.discard(self.session, SYSTEM, made.invoice_id, now=at(3))
            try:
                bill(self.session, self.customer_id, MONTHS[place], now=4)
                self.arrived("billed anew")
            except Conflict:
                # Late usage of the month is on another draft.
                discarded.rollback()

    def change(self, code, regions):
        if code in self.buckets and regions not in self.buckets.values():
            change(self.session, code, region=sorted(regions))
            self.buckets[code] = regions

    def retire(self, code):
        if code in self.buckets:
            retire(self.session, code)
            del self.buckets[code]

    def check(self):
        """Each bill, with its late items, is what its levels come to in the buckets of then."""
        assert_proven(self.session)
        standing = select(UsagePeriod).where(UsagePeriod.replaced_at.is_(None))
        for period in self.session.scalars(standing).all():
            place = next(place for place, month in enumerate(MONTHS) if month.start == period.first_day)
            billed = lines.of_periods(self.session, SYSTEM, [period.id])[period.id]
            items = [one for one in late.items(self.session, SYSTEM, limit=1_000) if one.first_day == period.first_day]
            # Those of a bill that was replaced are in the one that replaced it.
            worths = sum(one.worth.minor for one in items if one.state.value != "billed_anew")
            assert sum(line.amount.minor for line in billed) + worths == 100 * self.cost(place)
            for line in billed:
                explained(self.session, line)

    def cost(self, place):
        """By hand, of both meters, in the halves of October that are on two plans."""
        month, cost = MONTHS[place], D(0)
        whole = bounds(month.start, month.end)
        for first, last in halves(month):
            days = (last - first).days + 1
            for kind in HOLDS_ON:
                for code, price in PRICES.items():
                    told = [one for one in self.counted.values() if naive.bucket(self.by_bill[place], one) == code]
                    used = naive.quantity(kind.value, told, bounds(first, last), whole)
                    cost += naive.amount(kind.value, used, D(price), D(0), days, month.days)
        return cost


def explained(session, line):
    """What a line opens into comes to its quantity."""
    if line.meter == "latest":
        reached = explaining.reached(session, SYSTEM, line.id)
        assert (reached.quantity if reached else 0) == line.quantity
    elif line.meter == "time_weighted_sum":
        assert explaining.held_in_all(session, SYSTEM, line.id).quantity == line.quantity


def halves(month):
    """The segments of a month: in October the plan changes."""
    if month == OCTOBER:
        return [(month.start, date(2023, 10, 15)), (date(2023, 10, 16), month.end)]
    return [(month.start, month.end)]


def bounds(first, last):
    begun, ended = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last + timedelta(days=1)))
    return begun, ended


@pytest.mark.later
@pytest.mark.slow
def test_whatever_becomes_of_buckets_each_bill_is_what_its_levels_come_to_in_those_of_then(session, acme):
    charged = {Metered(kind.value, code): each(price) for kind in HOLDS_ON for code, price in PRICES.items()}
    plans.create(session, SYSTEM, code="other", name="Other", agreed=terms(), charged=charged, now=NOW)
    plans.put_on(session, SYSTEM, acme, "other", valid_from=date(2023, 10, 16), now=NOW)
    with arriving(["carried late", "other buckets", "billed anew"]) as arrived:

        @settings(max_examples=10)
        @given(st.data())
        def any_history(data):
            with session.begin_nested() as taken_back:
                history = History(session, acme, arrived)
                steps = Dealt(list(STEPS), times=3)
                for number in range(3 * len(STEPS)):
                    name = steps.next(data.draw)
                    getattr(history, name)(*map(data.draw, STEPS[name]))
                    if number % 5 == 0:
                        history.check()
                history.retire(data.draw(st.sampled_from(["eu", "us", "gold"])))
                history.tell(data.draw(st.lists(EVENTS, min_size=1, max_size=4)))
                history.bill(3)
                history.check()
                taken_back.rollback()
            session.expire_all()

        any_history()
