"""The demo company's subscriptions: to the portal, insurance, shelves and a dock, signed up for in all of its months.

Most customers have one, some two. Each month is lived through by the product's own services, with the embedded sandbox
as gateway, in one transaction: a fill that is cut off goes on with the month that is missing.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.database import Sessions, for_changes
from billing_core.dates import add_months
from billing_core.demo import link_story, moved
from billing_core.demo.billing import Books
from billing_core.demo.link_story import Joined
from billing_core.identity import Actor
from billing_core.online_payments.sandbox.cards import EXPIRING_METHOD
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans import service as plans
from billing_core.plans.models import PlanInterval, TrialEnd
from billing_core.plans.terms import AddOn, Amounts, Terms
from billing_core.promotions import service as promotions
from billing_core.promotions.models import PromoDuration
from billing_core.promotions.new_codes import NewCode
from billing_core.settings import settings
from billing_core.subscriptions import clock, signing_up
from billing_core.subscriptions.changes import cancelling, changing, pausing, paying
from billing_core.subscriptions.changes.closing import Ending
from billing_core.subscriptions.changes.wanted import Wanted as Changed
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.service import Wanted

COUNT: Final = 60
_LIVED, _WELCOME, _OPENING = "demo.subscriptions", "WELCOME20", "OPENING50"
_GOOD, _FAILS = "pm_card_visa", "pm_card_chargeCustomerFail"
# Services to customers at home carry the Dutch rate; across a border the customer accounts for the tax.
_HOME, _HOME_RATE = "NL", Decimal(21)
_SUPPORT = AddOn("support", "Priority support", {"EUR": Decimal(45), "USD": Decimal(50)})
_PORTAL, _INSURANCE, _SHELVES, _DOCK = "portal", "insurance", "shelves", "dock"
# Days before today, on which the jobs stood still: what came due on them was done afterwards.
_STOOD_STILL: Final = (6, 2)
_PLANS: Final = {
    _PORTAL: (
        "Customer portal",
        Terms(
            *("EUR", Decimal(49), 0, Decimal(0)),
            seat_price=Decimal(9),
            included_seats=3,
            trial_end=TrialEnd.INVOICE,
            further={"USD": Amounts(Decimal(55), Decimal(10))},
            add_ons=(_SUPPORT,),
        ),
    ),
    _INSURANCE: (
        "Stock insurance",
        Terms(
            *("EUR", Decimal(390), 0, Decimal(0)),
            interval=PlanInterval.QUARTER,
            further={"USD": Amounts(Decimal(425))},
        ),
    ),
    _SHELVES: (
        "Reserved shelves",
        Terms(
            *("EUR", Decimal(2400), 0, Decimal(0)),
            interval=PlanInterval.YEAR,
            further={"USD": Amounts(Decimal(2640))},
        ),
    ),
    _DOCK: (
        "Reserved dock",
        Terms(
            *("EUR", Decimal(35), 0, Decimal(0)),
            interval=PlanInterval.DAY,
            further={"USD": Amounts(Decimal(38))},
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class DemoSubscription:
    """``fails_from``: the day from which its card is refused. ``ends_from``: on which it was cancelled for the end of
    its period. ``fewer_from``: on which it was asked to have half of its seats from the next one on. ``pauses_from``:
    on which it was paused.
    """

    ref: str
    plan: str
    begun_at: datetime
    seats: int = 1
    add_ons: dict[str, int] = field(default_factory=dict)
    card: str = _GOOD
    trial_days: int = 0
    promo_code: str = ""
    fails_from: datetime | None = None
    ends_from: datetime | None = None
    fewer_from: datetime | None = None
    pauses_from: datetime | None = None


def drawn(books: Books, seed: int, count: int) -> list[DemoSubscription]:
    """All of them, in the order in which they were signed up for. The first ones are one of each state at least."""
    refs = sorted(books.customers)
    made = [_one(number, refs[number % len(refs)], books, seed) for number in range(count)]
    return sorted(made, key=lambda one: one.begun_at)


def live(
    sessions: Sessions, actor: Actor, books: Books, *, seed: int, count: int, since: datetime, until: datetime
) -> None:
    """What happens to that many after ``since``, up to ``until``, unless it has happened already."""
    engine = for_changes(sessions.engine)
    with engine.begin() as connection:
        joined = Joined(connection)
        with joined.begin() as session:
            if f"{until}" in _lived(session):
                return
            _begin(session, actor, books)
        story = _Story(joined, actor, books, since)
        for at, act in sorted(_acts(story, drawn(books, seed, count)), key=lambda act: act[0]):
            if since < at <= until:
                story.go_on(at)
                act()
        story.go_on(until)
        link_story.deliver(story)
        with joined.begin() as session:
            business = default_business(session)
            subject = ("business", business.id)
            audit.record(session, actor, _LIVED, subject, label=business.name, after={"until": f"{until}"}, now=until)


def _lived(session: Session) -> set[str]:
    entries = session.scalars(select(AuditEntry.after).where(AuditEntry.action == _LIVED))
    return {entry["until"] for entry in entries if entry}


def _begin(session: Session, actor: Actor, books: Books) -> None:
    """The plans and the promo codes, before the first month."""
    if _lived(session):
        return
    now = datetime.combine(books.first_day, time(), UTC)
    for plan, (name, agreed) in _PLANS.items():
        plans.create(session, actor, code=plan, name=name, agreed=agreed, now=now)
    welcome = NewCode(
        _WELCOME, plan_code=_PORTAL, percent=Decimal(20), duration=PromoDuration.PERIODS, periods=3, limit=100
    )
    # For the first months alone.
    opening = NewCode(_OPENING, amount=Decimal(50), currency="EUR", valid_to=add_months(books.first_day, 3))
    for code in (welcome, opening):
        promotions.create(session, actor, code, now=now)


def _one(number: int, ref: str, books: Books, seed: int) -> DemoSubscription:
    chance = random.Random(f"{seed}-{number}")  # noqa: S311
    days = (books.today - books.first_day).days
    day = books.first_day + timedelta(days=chance.randrange(3, days - 20))
    plan = (_PORTAL, _INSURANCE, _INSURANCE, _SHELVES, _SHELVES)[number % 5]
    seats = chance.choice((1, 2, 4, 6, 11)) if plan == _PORTAL else 1
    add_ons = {"support": 1} if plan == _PORTAL and chance.random() < 0.4 else {}
    one = DemoSubscription(ref, plan, _at(day, chance), seats, add_ons)
    return _special(number, one, books, chance)


def _special(number: int, one: DemoSubscription, books: Books, chance: random.Random) -> DemoSubscription:
    """Some of each state: in their trial, whose charges have failed since lately, that end, have ended, are paused,
    whose card expires; and one billed each day, which waits for a person's yes after the days of the standstill.
    """

    def on(day: date, **facts: object) -> DemoSubscription:
        begun_at = _at(max(day, books.first_day), chance)
        return DemoSubscription(one.ref, _PORTAL, begun_at, 8, **facts)  # type: ignore[arg-type]

    today = books.today
    lately = datetime.combine(today - timedelta(days=25), time(12), UTC)
    match number:
        case 0 | 1 | 2:
            return on(today - timedelta(days=2 + 2 * number), trial_days=30, promo_code=_WELCOME)
        case 3 | 4:
            return on(add_months(today - timedelta(days=2), -4), fails_from=lately)
        case 5:
            return on(add_months(today - timedelta(days=12), -7), fails_from=lately)
        case 6 | 7:
            return on(add_months(today - timedelta(days=8), -3), ends_from=lately + timedelta(days=20))
        case 8 | 9:
            return on(add_months(today, -9), trial_days=14, ends_from=lately - timedelta(days=60))
        case 10:
            few = lately + timedelta(days=20)
            return on(add_months(today - timedelta(days=10), -5), promo_code=_WELCOME, fewer_from=few)
        case 11:
            return on(add_months(today - timedelta(days=15), -6), pauses_from=lately - timedelta(days=35))
        case 12:
            return on(today - timedelta(days=5), card=EXPIRING_METHOD)
        case 13:
            return DemoSubscription(one.ref, _DOCK, _at(max(today - timedelta(days=9), books.first_day), chance))
    return one


def _at(day: date, chance: random.Random) -> datetime:
    return datetime.combine(day, time(7 + chance.randrange(9), chance.randrange(60)), UTC)


@dataclass(slots=True)
class _Story:
    """``now``: the instant that it has come to."""

    sessions: Sessions
    actor: Actor
    books: Books
    now: datetime

    @property
    def gateway(self) -> SandboxGateway:
        return SandboxGateway(self.sessions, settings(), now_of=lambda: self.now)

    def go_on(self, until: datetime) -> None:
        """Do all that comes due, each when it does, or once the jobs run again."""
        while (due := self._next_due()) is not None and (at := self._runs_at(due)) <= until:
            self.now = at
            for _ in clock.run(self.sessions, self.actor, self.gateway, now=at):
                pass
        self.now = until

    def act(self, one: DemoSubscription, at: datetime) -> None:
        if at == one.begun_at:
            self._sign_up(one)
            return
        with self.sessions() as session:
            theirs = select(Subscription).where(
                Subscription.customer_id == self.books.customers[one.ref], Subscription.created_at == one.begun_at
            )
            public_id = session.scalars(theirs).one().public_id
        services = self.sessions, self.actor, self.gateway, public_id
        if at == one.fails_from:
            paying.replace(*services, _FAILS, now=at)
        elif at == one.fewer_from:
            changing.change(*services, Changed(seats=one.seats // 2), now=at)
        elif at == one.pauses_from:
            with self.sessions.begin() as session:
                pausing.pause(session, self.actor, public_id, now=at)
        else:
            cancelling.cancel(*services, Ending(at_period_end=True, reason="No longer needed"), now=at)

    def _sign_up(self, one: DemoSubscription) -> None:
        with self.sessions() as session:
            customer = session.get_one(Customer, self.books.customers[one.ref])
            wanted = Wanted(
                customer.public_id,
                one.plan,
                trial_days=one.trial_days,
                promo_code=one.promo_code,
                seats=one.seats,
                add_ons=one.add_ons,
                tax_rate=_HOME_RATE if customer.country == _HOME else Decimal(0),
            )
        signing_up.subscribe(self.sessions, self.actor, self.gateway, wanted, method=one.card, now=one.begun_at)

    def _runs_at(self, due: datetime) -> datetime:
        begins, ends = (datetime.combine(self.books.today - timedelta(days=ago), time(), UTC) for ago in _STOOD_STILL)
        return ends if begins <= due < ends else due

    def _next_due(self) -> datetime | None:
        with self.sessions() as session:
            going_on = Subscription.held_at.is_(None)
            following = session.scalar(select(func.min(Subscription.next_at)).where(going_on))
            collected = session.scalar(select(func.min(SubscriptionInvoice.collect_at)))
        return min(filter(None, (following, collected)), default=None)


def _acts(story: _Story, all_of_them: Sequence[DemoSubscription]) -> Iterator[tuple[datetime, Callable[[], None]]]:
    """What people do, and when."""
    for one in all_of_them:
        yield one.begun_at, partial(story.act, one, one.begun_at)
        for at in (one.fails_from, one.ends_from, one.fewer_from, one.pauses_from):
            if at is not None and at > one.begun_at:
                yield at, partial(story.act, one, at)
    _, agreed = _PLANS[_PORTAL]
    yield from moved.acts(story.sessions, story.actor, story.books, _PORTAL, agreed)
