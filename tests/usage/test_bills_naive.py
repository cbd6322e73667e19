"""Any history of events, bills, corrections and cancelled invoices comes to what a naive computation says of it, of
meters of every kind.

Whatever was billed, settled and credited, together with what is open, is what the events that count now cost, to the
minor unit, less what was waived; nobody gets back what they never paid, and every event is in exactly one bill or one
late item all the time.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import BillingError, Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, queries, service
from billing_core.invoices.models import CreditNote, Invoice, InvoiceLineItem, InvoiceState
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering import verification as metering
from billing_core.metering.models import HOLDS_ON, Aggregation, LateItem, LateKind, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing, late
from billing_core.usage.billed import lines, verification
from billing_core.usage.late import ItemState
from billing_core.usage.parts import PartKind
from tests.arrivals import Dealt, arriving
from tests.plans.agreed import NOW, terms
from tests.usage import giving_back, naive
from tests.usage.explained import opens_into
from tests.usage.naive import Agreed, Call, Told
from tests.usage.october import an_organization

pytestmark = pytest.mark.slow

LATER = datetime(2023, 12, 1, 10, tzinfo=UTC)
TODAY = date(2023, 12, 1)
ZONE = ZoneInfo("America/New_York")
# The clocks go on on 12 March, and back on 5 November: days of 23 and of 25 hours.
WEEKS = (Period(date(2023, 3, 11), date(2023, 3, 13)), Period(date(2023, 11, 4), date(2023, 11, 6)))
PERIODS = (*WEEKS, Period(date(2023, 11, 7), date(2023, 11, 8)))
PLANS = {"few": (3, Decimal("0.005")), "more": (7, Decimal("0.333333333333")), "none": (0, Decimal("1.25"))}
# What a unit of each other meter costs, and how many are included.
PRICES = {"few": Decimal("1.1"), "more": Decimal("0.35"), "none": Decimal(2)}
INCLUDED = {"few": Decimal("0.5"), "more": Decimal(1), "none": Decimal(0)}
KINDS = [kind.value for kind in Aggregation if kind is not Aggregation.COUNT]
HOLDING = sorted(kind.value for kind in HOLDS_ON)
# At the edges of days in New York, a microsecond before them, and within; and on days that nobody bills.
INSTANTS = [
    datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC) + shift
    for period in PERIODS
    for day in (period.start + timedelta(days=number) for number in range(period.days))
    for shift in (timedelta(0), -timedelta(microseconds=1), timedelta(hours=23, minutes=30))
] + [datetime(2023, month, day, 12, tzinfo=UTC) for month, day in ((3, 1), (3, 10), (7, 1), (11, 3))]
QUANTITIES = [Decimal(text) for text in ("0", "2.5", "4", "0.000001")]

numbers = st.integers(0, 2 * len(INSTANTS) - 1)
# Events of one kind: an instant, and a place in QUANTITIES.
told = st.lists(
    st.tuples(numbers, st.integers(0, len(QUANTITIES) - 1)), min_size=1, max_size=6, unique_by=lambda one: one[0]
)
few_told = st.lists(st.tuples(numbers, st.integers(0, len(QUANTITIES) - 1)), max_size=2, unique_by=lambda one: one[0])
# What the facts of each step are drawn from; of every kind of meter something comes and goes.
STEPS = {
    ("tell",): (st.lists(numbers, min_size=1, max_size=12, unique=True),),
    **{("tell_of", kind): (told,) for kind in KINDS},
    **{("withdraw", kind): (st.integers(0, 50),) for kind in ("count", *KINDS)},
    ("bill",): (st.integers(0, len(PERIODS) - 1), st.booleans()),
    ("settle",): (st.integers(1, 3),),
    ("waive",): (st.integers(2, 4), st.integers(0, 50)),
    ("lower",): (st.sampled_from(HOLDING), st.lists(numbers, min_size=2, max_size=2, unique=True), st.booleans()),
    ("cancel",): (st.integers(0, 5),),
    ("pay",): (st.integers(0, 5),),
}
changes = st.dictionaries(st.integers(0, 2), st.sampled_from(sorted(PLANS)), max_size=2)


def event(number: int) -> dict[str, object]:
    """Two for each instant."""
    return {"id": str(number), "customer_ref": "EXAMPLE", "time": INSTANTS[number // 2].isoformat()}


@pytest.fixture
def customer_id(session):
    """With a meter of every kind, and the plans that it may be on."""
    customer_id = an_organization(session)
    session.get_one(Customer, customer_id).time_zone = ZONE.key
    session.flush()
    for kind in KINDS:
        meters.create(session, SYSTEM, code=kind, name=kind, aggregation=Aggregation(kind), unit="unit", now=NOW)
    for code, (included, price) in PLANS.items():
        each = Price("USD", Scheme.PER_UNIT, (Tier(None, PRICES[code]),), included=INCLUDED[code])
        facts = {"agreed": terms(included, str(price)), "charged": {Metered(kind): each for kind in KINDS}}
        plans.create(session, SYSTEM, code=code, name=code, **facts, now=NOW)
    return customer_id


class History:
    """One customer, what it told, and what was made of it."""

    def __init__(self, session, customer_id, given_changes):
        self.session, self.customer_id, self.zone = session, customer_id, ZONE
        # By kind of meter and event's id; those that were withdrawn are not among them.
        self.counted = {"count": {}} | {kind: {} for kind in KINDS}
        self.known = set()
        self.agreed = [Agreed(date(2023, 1, 1), "few", *PLANS["few"])]
        for week in WEEKS:
            for day, plan in sorted(given_changes.items()):
                self.agreed.append(Agreed(week.start + timedelta(days=day), plan, *PLANS[plan]))
        for one in self.agreed:
            plans.put_on(session, SYSTEM, self.customer_id, one.plan, valid_from=one.since, now=NOW)

    def cost(self, period: Period) -> int:
        """What the events that count now cost, in cents."""
        calls = [Call(one.at.astimezone(ZONE).replace(tzinfo=None), "", None) for one in self.counted["count"].values()]
        start, end = datetime.combine(period.start, time()), datetime.combine(period.end, time(23, 59, 59))
        total = naive.billing(calls, self.agreed, start, end)["total_cost"]
        return int((total + sum(self.charges(period).values())) * 100)

    def charges(self, period: Period) -> dict[tuple[str, date], Decimal]:
        """What the other meters cost, by their kinds and the first days of segments."""
        found = {}
        whole = self.bounds(period.start, period.end)
        for plan, days in self.segments(period):
            for kind in KINDS:
                used = naive.quantity(kind, list(self.counted[kind].values()), self.bounds(days[0], days[-1]), whole)
                found[kind, days[0]] = naive.amount(kind, used, PRICES[plan], INCLUDED[plan], len(days), period.days)
        return found

    def segments(self, period: Period) -> list[tuple[str, list[date]]]:
        """The plan of each run of days."""
        runs: list[tuple[str, list[date]]] = []
        for day in period.each_day():
            plan = max((one for one in self.agreed if one.since <= day), key=lambda one: one.since).plan
            if runs and runs[-1][0] == plan:
                runs[-1][1].append(day)
            else:
                runs.append((plan, [day]))
        return runs

    def prices(self, plan: str) -> tuple[Decimal, Decimal]:
        """Of a unit of each other meter, and how many are included."""
        return PRICES[plan], INCLUDED[plan]

    def bounds(self, first: date, last: date) -> tuple[datetime, datetime]:
        begun, ended = (
            datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)
            for day in (first, last + timedelta(days=1))
        )
        return begun, ended

    def tell(self, chosen):
        events = {str(one): Told(INSTANTS[one // 2], str(one), "", Decimal(1)) for one in chosen}
        self.record("count", events, [event(one) for one in chosen])

    def tell_of(self, kind, chosen):
        kept, events = {}, []
        for number, place in chosen:
            name, user = f"{kind}-{number}-{place}", ("ana", "ben", "")[place % 3]
            kept[name] = Told(INSTANTS[number // 2], name, user, QUANTITIES[place])
            facts = {"meter": kind, "user": user, "quantity": QUANTITIES[place]}
            events.append({**event(number), **facts, "id": name})
        self.record(kind, kept, events)

    def record(self, kind, told, events):
        recorded = ingestion.record(self.session, SYSTEM, events, now=LATER, atomic=True)
        # In the order in which they were told: which one is withdrawn is drawn by its place.
        new = [name for name in told if name not in self.known]
        assert (recorded.accepted, recorded.repeated) == (len(new), len(told) - len(new))
        self.counted[kind] |= {name: told[name] for name in new}
        self.known |= set(new)

    def withdraw(self, kind, place):
        names = list(self.counted[kind])
        if names:
            name = names[place % len(names)]
            withdrawal.withdraw(self.session, SYSTEM, self.customer_id, name, reason="By mistake", now=LATER)
            del self.counted[kind][name]

    def bill(self, place, sends):
        with self.session.begin_nested():
            try:
                period, days = PERIODS[place], {"now": LATER, "today": TODAY}
                with giving_back.watched(self) as has_waived:
                    rehearsed = [self.customer_id] if has_waived else []
                    seen = billing.rehearse(self.session, SYSTEM, rehearsed, period, now=LATER)
                    billed = billing.bill(self.session, SYSTEM, self.customer_id, period, **days)
            except Conflict:
                # Late usage of a period whose invoice was cancelled is on another one.
                assert any(one.state is ItemState.INVOICED for one in late.items(self.session, SYSTEM))
                return
        made = lines.of_periods(self.session, SYSTEM, [billed.period_id])[billed.period_id]
        if billed.created:
            for one in seen:
                assert (billed.late_minor, billed.credited_minor) == (one.late_minor, one.credited_minor)
            assert sum(line.amount.minor for line in made) + waived_of(made) == self.cost(period)
        for line in made:
            opens_into(self.session, line, self.bounds(period.start, period.end))
        if sends:
            for invoice_id in self.session.scalars(select(Invoice.id).where(Invoice.state == InvoiceState.DRAFT)).all():
                service.send(self.session, SYSTEM, invoice_id, now=LATER)

    def settle(self, each):
        self.settle_items([one.id for one in late.items(self.session, SYSTEM, open_only=True, limit=1_000)][::each])

    def settle_items(self, chosen):
        if chosen:
            with giving_back.watched(self):
                late.settle(self.session, SYSTEM, chosen, now=LATER, today=TODAY)

    def waive(self, each, place):
        """Of what came late one event goes again, and that is settled at once."""
        items = late.items(self.session, SYSTEM, open_only=True, limit=1_000)[::each]
        if not items:
            return
        late.waive(self.session, SYSTEM, [one.id for one in items], reason="A gift", now=LATER)
        kinds = {"api_calls": "count"} | {kind: kind for kind in KINDS}
        came = [(kinds[one.meter], one.event_id) for one in items if one.event_id in self.counted[kinds[one.meter]]]
        if came:
            kind, name = came[place % len(came)]
            self.withdraw(kind, list(self.counted[kind]).index(name))
            self.settle_items(self.open_of(name))

    def lower(self, kind, chosen, together):
        """What raises a level is asked for, the credit for what lowers it again is waived, and then both go."""
        raises, lowers = ((number, place) for number, place in zip(sorted(chosen), (2, 0), strict=True))
        up, down = (f"{kind}-{number}-{place}" for number, place in (raises, lowers))
        self.tell_of(kind, [raises])
        self.settle_items(self.open_of(up))
        self.tell_of(kind, [lowers])
        if ids := self.open_of(down):
            late.waive(self.session, SYSTEM, ids, reason="A gift", now=LATER)
        for name in (down, up):
            if name in self.counted[kind]:
                self.withdraw(kind, list(self.counted[kind]).index(name))
            if not together:
                self.settle_items(self.open_of(name))
        self.settle_items(self.open_of(up, down))

    def open_of(self, *names):
        items = late.items(self.session, SYSTEM, open_only=True, limit=1_000)
        return [one.id for one in items if one.event_id in names]

    def invoice(self, place):
        found = self.session.scalars(select(Invoice.id).order_by(Invoice.id)).all()
        return queries.one(self.session, SYSTEM, found[place % len(found)]) if found else None

    def cancel(self, place):
        invoice = self.invoice(place)
        if invoice is None or invoice.state is InvoiceState.CANCELLED:
            return
        with self.session.begin_nested():
            try:
                if invoice.state is InvoiceState.DRAFT:
                    service.discard(self.session, SYSTEM, invoice.id, now=LATER)
                else:
                    after_sending.cancel(self.session, SYSTEM, invoice.id, now=LATER, today=TODAY)
            except BillingError:
                # Money came in for it.
                return

    def pay(self, place):
        invoice = self.invoice(place)
        if invoice is not None and invoice.due_minor:
            money = Received("USD", invoice.due_minor, PaymentMethod.CASH, TODAY)
            received.record_for(self.session, SYSTEM, invoice.id, received=money, today=TODAY, now=LATER)

    def check(self):
        """Nobody's event is lost or counted twice, and all amounts together are what the events cost."""
        session = self.session
        for checked in (verification.checks(session), metering.checks(session)):
            assert [wrong for check in checked for wrong in check.wrong] == []
        standing = session.scalars(select(UsagePeriod).where(UsagePeriod.replaced_at.is_(None))).all()
        gone = set(session.scalars(select(Invoice.id).where(is_gone(Invoice))))
        changing = select(LateItem.id).where(LateItem.period_id.in_([period.id for period in standing]))
        ids = set(session.scalars(changing))
        items = [one for one in late.items(session, SYSTEM, limit=1_000) if one.id in ids]
        for period in standing:
            days = Period(period.first_day, period.last_day)
            billed = lines.of_periods(session, SYSTEM, [period.id])[period.id]
            worths = [one.worth.minor for one in items if one.first_day == days.start]
            assert sum(line.amount.minor for line in billed) + waived_of(billed) + sum(worths) == self.cost(days)
        if not gone & {period.invoice_id for period in standing}:
            self.check_money(standing, gone, items)

    def check_money(self, standing, gone, items):
        session = self.session
        on_lines = select(func.coalesce(func.sum(InvoiceLineItem.amount_minor), 0)).where(
            InvoiceLineItem.invoice_id.not_in(gone)
        )
        credited = select(func.coalesce(func.sum(CreditNote.subtotal_minor), 0)).where(
            CreditNote.invoice_id.not_in(gone)
        )
        unasked = (ItemState.WAIVED, ItemState.OPEN)
        left = sum(one.worth.minor for one in items if one.state in unasked)
        asked = int(session.scalar(on_lines)) - int(session.scalar(credited))
        left_out = sum(map(waived_of, lines.of_periods(session, SYSTEM, [period.id for period in standing]).values()))
        cost = sum(self.cost(Period(period.first_day, period.last_day)) for period in standing)
        kept = giving_back.kept(session, standing, gone, items)
        waived = sum(max(one.worth.minor, 0) for one in items if one.state is ItemState.WAIVED)
        assert asked + left + left_out == cost + kept
        not_credited = sum(min(one.worth.minor, 0) for one in items if one.state is ItemState.WAIVED)
        assert not_credited <= kept <= waived + left_out


def waived_of(billed):
    """What was waived of these lines when their days were billed before, in cents."""
    return sum(int(part.price * 100) for line in billed for part in line.parts if part.kind is PartKind.WAIVED)


# What has to have happened: of every kind of meter an event came and went after its period was billed, and what holds
# on changed a period from before.
HAPPENED = [
    *(f"{kind} {way}" for kind in ("api_calls", *KINDS) for way in LateKind),
    *(f"{kind} carried" for kind in HOLDS_ON),
    "waived, then withdrawn",
    "credit waived, then withdrawn",
]


@pytest.mark.later
def test_whatever_happens_all_amounts_are_what_the_events_cost(session, customer_id):
    with arriving(HAPPENED) as arrived:

        @settings(max_examples=20)
        @given(
            given_changes=changes,
            begun=st.fixed_dictionaries(dict.fromkeys(KINDS, few_told)),
            billed=st.sets(st.integers(0, len(PERIODS) - 1), min_size=1),
            data=st.data(),
        )
        def any_history(given_changes, begun, billed, data):
            with session.begin_nested() as taken_back:
                history = History(session, customer_id, given_changes)
                for kind, chosen in begun.items():
                    history.tell_of(kind, chosen)
                for place in sorted(billed):
                    history.bill(place, True)
                dealt = Dealt(list(STEPS), times=1)
                for number in range(len(STEPS)):
                    name, *facts = step = dealt.next(data.draw)
                    getattr(history, name)(*facts, *map(data.draw, STEPS[step]))
                    # What is wrong stays wrong; to look takes longer than all that is done.
                    if number % 4 == 0:
                        history.check()
                for item in late.items(session, SYSTEM, limit=1_000):
                    arrived(f"{item.meter} {item.kind}")
                    if (item.kind, item.state) == (LateKind.WITHDRAWN, ItemState.WAIVED):
                        arrived("waived, then withdrawn" if item.worth.minor <= 0 else "credit waived, then withdrawn")
                    if item.occurred_at.astimezone(ZONE).date() < item.first_day:
                        arrived(f"{item.meter} carried")
                taken_back.rollback()
            session.expire_all()

        any_history()


@pytest.mark.drawn
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_changes=changes,
    order=st.permutations(range(2 * len(INSTANTS))),
    batch=st.integers(1, 50),
    withdrawn=st.sets(numbers, max_size=6),
)
def test_in_any_order_and_any_batches_the_same_is_billed(session, customer_id, given_changes, order, batch, withdrawn):
    with session.begin_nested() as taken_back:
        history = History(session, customer_id, given_changes)
        for place in range(0, len(order), batch):
            history.tell(order[place : place + batch])
        history.tell(order[:batch])
        for number in withdrawn:
            history.withdraw("count", number)
        for place in range(len(PERIODS)):
            history.bill(place, False)
        history.check()
        taken_back.rollback()
    session.expire_all()
