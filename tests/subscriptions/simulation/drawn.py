"""Contracts of every kind, drawn at random, and what customers do with them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from tests.subscriptions.simulation.contracts import (
    ASKS,
    CREDIT,
    FAILS,
    GOOD,
    NOTHING,
    NOW,
    PERIOD_END,
    REFUND,
    Act,
    Cancel,
    Change,
    Contract,
    Move,
    Pause,
    Plan,
    Promo,
    Replace,
    Resume,
    Terms,
    Withdraw,
)

D = Decimal
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = datetime(2028, 1, 1, tzinfo=UTC)
_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Kiritimati",
    "Pacific/Honolulu",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
_INTERVALS = (("month", 1), ("month", 1), ("month", 2), ("quarter", 1), ("year", 1), ("week", 3), ("day", 45))
_TAXES = (D(0), D(19), D("7.7"), D(21))


class Draw:
    """One contract of many. ``until``: what happens with it has happened by then."""

    def __init__(self, number: int, seed: int, until: datetime) -> None:
        self.number, self.until = number, until
        self.chance = Random(f"{seed}-{number}")
        self.places = 0 if number % 11 == 5 else 2
        self.unit = D(1).scaleb(-self.places)
        self.has_seats = self.chance.random() < 0.5
        self.add_ons = ("support",) if self.chance.random() < 0.4 else ()
        month, day = self.chance.choice(((1, 1), (1, 14), (1, 29), (1, 30), (1, 31), (2, 28), (3, 1), (3, 29)))
        self.begun_at = datetime(2026, month, day, self.chance.randrange(24), self.chance.randrange(60), tzinfo=UTC)

    def plan(self, letter: str, low: int = 500, high: int = 99_999, **facts: object) -> Plan:
        """Those of a contract go together: all have seats, or none, and the same add-ons."""
        chance = self.chance
        interval, count = facts.pop("every", ("month", 1))
        return Plan(
            f"plan-{self.number}{letter}",
            chance.randint(low, high) * self.unit,
            interval,
            count,
            seat_price=chance.choice((500, chance.randint(1, 2_000))) * self.unit if self.has_seats else None,
            included_seats=2 if self.has_seats else 0,
            add_ons={code: chance.choice((700, chance.randint(1, 5_000))) * self.unit for code in self.add_ons},
            **facts,
        )

    def some_terms(self, plan: Plan) -> Terms:
        seats = self.chance.randint(1, 9) if self.has_seats else 1
        return Terms(plan, seats, {code: self.chance.randint(1, 3) for code in self.add_ons})

    def promo(self, plan: Plan) -> Promo | None:
        chance = self.chance
        if chance.random() < 0.4:
            return None
        periods = chance.choice((1, 2, 5, None))
        alone = plan.code if chance.random() < 0.2 else ""
        if chance.random() < 0.5:
            return Promo(percent=chance.choice((D(100), D(50), D("12.5"), D("33.333"))), periods=periods, plan=alone)
        return Promo(amount=chance.randint(1, 60_000) * self.unit, periods=periods, plan=alone)

    def every(self) -> tuple[str, int]:
        return self.chance.choice(_INTERVALS)

    def moments(self, count: int) -> list[datetime]:
        """One after the other, never at the hour at which jobs run. Some are on the day on which most periods begin, in
        the hours before and after that.
        """
        days = (self.until - self.begun_at).days - 20
        minutes = self.chance.randint(15, 45)
        found = []
        for day in self.chance.sample(range(3, days, 2), count):
            at = self.begun_at.replace(hour=self.chance.randrange(24), minute=minutes) + timedelta(days=day)
            moved = at.replace(day=min(self.begun_at.day, 28))
            moves = self.chance.random() < 0.25 and moved > self.begun_at + timedelta(days=2)
            found.append(moved if moves else at)
        return sorted(found)

    def zone(self) -> str:
        return self.chance.choice(_ZONES)

    def calls(self) -> list[datetime]:
        """Six a week: some in the trial too, and as many around midnight as at noon."""
        seconds = int((self.until - self.begun_at).total_seconds())
        after = sorted(self.chance.randrange(1, seconds) for _ in range(seconds // 100_000))
        return [self.begun_at + timedelta(seconds=one) for one in after]

    def contract(self, plan: Plan, *further: Plan, acts: Sequence[Act] = (), **facts: object) -> Contract:
        chance = self.chance
        has_usage = any(one.call_price for one in (plan, *further))
        known = {
            "trial_days": chance.choice((0, 0, 0, 7, 30)),
            "promo": self.promo(plan),
            "tax_rate": chance.choice(_TAXES),
            "credit": chance.randint(1, 200_000) * self.unit if chance.random() < 0.1 else D(0),
            "calls": tuple(self.calls()) if has_usage else (),
        }
        terms = self.some_terms(plan)
        return Contract(self.begun_at, self.zone(), terms, further, self.places, acts=acts, **known | facts)


def left_alone(draw: Draw) -> Contract:
    chance = draw.chance
    phases = ((1, D(50)), (2, D("33.333"))) if chance.random() < 0.5 else ()
    if chance.random() < 0.3:
        return draw.contract(draw.plan("a", 0, 1, every=draw.every()))
    return draw.contract(draw.plan("a", every=draw.every(), phases=phases))


def in_arrears(draw: Draw) -> Contract:
    return draw.contract(draw.plan("a", every=draw.every(), in_arrears=True))


def metered(draw: Draw) -> Contract:
    """Usage on another plan from some day on, on one without from another, and on the first again soon after that."""
    first, second = draw.moments(2)
    plans = [_metered(draw, "a"), _metered(draw, "b"), draw.plan("c")]
    when = draw.chance.choice((NOW, PERIOD_END))
    again = second + timedelta(days=8)
    acts = Change(first, plans[1], when=NOW), Change(second, plans[2], when=when), Change(again, plans[0], when=NOW)
    return draw.contract(*plans, acts=acts)


def becomes_metered(draw: Draw) -> Contract:
    """From a plan without usage, in the middle of a period."""
    first, second = draw.moments(2)
    plans = draw.plan("a"), _metered(draw, "b", in_arrears=draw.chance.random() < 0.5)
    acts = Change(first, plans[1], when=NOW), Cancel(second, draw.chance.choice((CREDIT, NOTHING, PERIOD_END)))
    return draw.contract(*plans, acts=acts)


def dearer(draw: Draw) -> Contract:
    """More money begins now: another plan, then seats and add-ons where there are some; two changes on a day."""
    first, second = draw.moments(2)
    every = draw.every()
    phases = ((2, D(50)), (3, D("33.333")))
    plans = (
        draw.plan("a", 500, 5_000, every=every),
        draw.plan("b", 20_000, 90_000, every=every, phases=phases if draw.chance.random() < 0.5 else ()),
    )
    more = {"seats": 12} if draw.has_seats else {}
    more |= {"add_ons": dict.fromkeys(draw.add_ons, 5)}
    acts = (
        Change(first, plans[1]),
        Change(first + timedelta(minutes=1), plans[0], when=draw.chance.choice((NOW, PERIOD_END))),
        Change(second, **more),
    )
    return draw.contract(*plans, acts=acts)


def cheaper(draw: Draw) -> Contract:
    """Less money waits for the period's end, and may be withdrawn."""
    first, second, third = draw.moments(3)
    every = draw.every()
    plans = (
        draw.plan("a", 50_000, 90_000, every=every),
        draw.plan("b", 20_000, 30_000, every=every),
        draw.plan("c", 500, 5_000, every=every),
    )
    withdrawn = first + timedelta(minutes=10)
    acts = Change(first, plans[1]), Withdraw(withdrawn), Change(second, plans[1]), Change(third, plans[2])
    return draw.contract(*plans, acts=acts)


def less_at_once(draw: Draw) -> Contract:
    """Where it is asked for; what comes back pays for what follows."""
    first, second, third = draw.moments(3)
    every = draw.every()
    plans = draw.plan("a", 50_000, 90_000, every=every), draw.plan("b", 500, 30_000, every=every)
    fewer = {"seats": 1} if draw.has_seats else {}
    acts = (
        Change(first, plans[1], when=NOW),
        Change(second, add_ons={}, **fewer, when=NOW),
        Change(third, plans[0], when=NOW),
    )
    return draw.contract(*plans, acts=acts)


def other_length(draw: Draw) -> Contract:
    """Now, with the next period, and on a period's first day."""
    first, second = draw.moments(2)
    plans = draw.plan("a"), draw.plan("b", every=("quarter", 1)), draw.plan("c", every=("week", 3))
    same_day = draw.begun_at + timedelta(hours=1)
    acts = [Change(first, plans[1], when=NOW), Change(second, plans[2], when=draw.chance.choice((NOW, PERIOD_END)))]
    if draw.chance.random() < 0.5:
        acts.insert(0, Change(same_day, plans[2], when=NOW))
    return draw.contract(*plans, acts=acts)


def other_timing(draw: Draw) -> Contract:
    """From advance to arrears and back, or the other way round."""
    every = draw.every()
    plans = draw.plan("a", every=every), draw.plan("b", every=every, in_arrears=True)
    if draw.chance.random() < 0.5:
        plans = plans[1], plans[0]
    acts = [
        Change(at, plan, when=draw.chance.choice((None, NOW)))
        for at, plan in zip(draw.moments(2), reversed(plans), strict=True)
    ]
    return draw.contract(*plans, acts=acts)


def in_trial(draw: Draw) -> Contract:
    """Another plan, which costs nothing yet, and another zone; some come to no more than that."""
    plans = draw.plan("a"), draw.plan("b", every=draw.every())
    first, second = (draw.begun_at.replace(minute=30) + timedelta(days=days) for days in (5, 9))
    acts: list[Act] = [Change(first, plans[1]), Move(second, draw.zone())]
    if draw.chance.random() < 0.2:
        acts.append(Cancel(second + timedelta(days=2), draw.chance.choice((CREDIT, PERIOD_END))))
    return draw.contract(*plans, acts=acts, trial_days=30)


def pausing(draw: Draw) -> Contract:
    """A change while it is paused, and one after it."""
    first, second, third, fourth = draw.moments(4)
    plans = draw.plan("a", 500, 5_000, in_arrears=draw.chance.random() < 0.3), draw.plan("b", 20_000, 90_000)
    acts = Pause(first), Change(second, plans[1], when=NOW), Resume(third), Change(fourth, plans[0], when=NOW)
    return draw.contract(*plans, acts=acts)


def moving(draw: Draw) -> Contract:
    """To other zones, with a change in between."""
    first, second, third = draw.moments(3)
    every = draw.every()
    plans = draw.plan("a", every=every), draw.plan("b", every=every)
    acts = Move(first, draw.zone()), Change(second, plans[1], when=NOW), Move(third, draw.zone())
    return draw.contract(*plans, acts=acts)


def failing(draw: Draw) -> Contract:
    """For four months nothing can be charged, and no change that costs anything holds."""
    first, second = draw.moments(2)
    plans = draw.plan("a", 500, 5_000), draw.plan("b", 20_000, 90_000)
    bad = draw.chance.choice((FAILS, ASKS))
    back = first + timedelta(days=min(120, (draw.until - first).days - 5))
    acts = [Replace(first, bad), Change(first + timedelta(days=2), plans[1], when=NOW), Replace(back, GOOD)]
    if second > back:
        acts.append(Change(second, plans[1], when=NOW))
    return draw.contract(*plans, acts=acts)


def never_paying(draw: Draw) -> Contract:
    """Cancelled in the end, with what is owed or without."""
    first, second = draw.moments(2)
    how, void = draw.chance.choice((CREDIT, NOTHING, REFUND)), draw.chance.random() < 0.7
    acts = Replace(first, FAILS), Cancel(second, how, void)
    return draw.contract(draw.plan("a", every=draw.every()), acts=acts, credit=D(0), trial_days=0)


def mailed(draw: Draw) -> Contract:
    """Without a card until late, to whom a change is billed; a trial of theirs may end it, or pause it."""
    first, second, third = draw.moments(3)
    end = draw.chance.choice(("invoice", "invoice", "cancel", "pause"))
    plans = draw.plan("a", 500, 5_000, trial_end=end), draw.plan("b", 20_000, 90_000, trial_end=end)
    acts = Resume(first), Change(second, plans[1]), Replace(third, GOOD)
    return draw.contract(*plans, acts=acts, card=None)


def cancelled(draw: Draw) -> Contract:
    """At once, after a change, in each way."""
    first, second = draw.moments(2)
    in_arrears = draw.chance.random() < 0.3
    every = draw.every()
    plans = draw.plan("a", 500, 5_000, every=every), draw.plan("b", 9_000, 90_000, every=every, in_arrears=in_arrears)
    how = (CREDIT, REFUND, NOTHING)[draw.number // len(STORIES) % 3]
    return draw.contract(*plans, acts=(Change(first, plans[1]), Cancel(second, how)))


def refunded(draw: Draw) -> Contract:
    """Whatever was paid by card; what credit paid is credit again. Some have just gone over to a year, for which what
    they had not used has paid in part.
    """
    first, second = draw.moments(2)
    plans = draw.plan("a", every=draw.every()), draw.plan("b", 50_000, every=("year", 1))
    acts: list[Act] = [Change(first, add_ons=dict.fromkeys(draw.add_ons, 4), seats=9 if draw.has_seats else None)]
    if draw.chance.random() < 0.5:
        acts.append(Change(second, plans[1], when=NOW))
        second += timedelta(hours=draw.chance.randint(1, 30))
    return draw.contract(*plans, acts=(*acts, Cancel(second, REFUND)))


def ending(draw: Draw) -> Contract:
    """Taken back once, then with the period."""
    first, second, third, fourth = draw.moments(4)
    every = draw.every()
    plans = draw.plan("a", every=every, in_arrears=draw.chance.random() < 0.3), draw.plan("b", every=every)
    acts = Cancel(first, PERIOD_END), Resume(second), Cancel(third, PERIOD_END), Change(fourth, plans[1], when=NOW)
    return draw.contract(*plans, acts=acts)


def agreed_to_end(draw: Draw) -> Contract:
    return draw.contract(draw.plan("a", ends_after=draw.chance.randint(2, 9), in_arrears=draw.number % 2 == 0))


STORIES: tuple[Callable[[Draw], Contract], ...] = (
    left_alone,
    metered,
    becomes_metered,
    dearer,
    cheaper,
    less_at_once,
    other_length,
    other_timing,
    in_trial,
    pausing,
    moving,
    failing,
    never_paying,
    mailed,
    cancelled,
    refunded,
    ending,
    in_arrears,
    agreed_to_end,
)


def drawn(numbers: Iterable[int], seed: int, until: datetime) -> list[Contract]:
    """Each story in turn, by its number."""
    return [_one(number, seed, until) for number in numbers]


def _one(number: int, seed: int, until: datetime) -> Contract:
    contract = STORIES[number % len(STORIES)](Draw(number, seed, until))
    return replace(contract, acts=tuple(sorted(contract.acts, key=lambda act: act.at)))


def _metered(draw: Draw, letter: str, **facts: object) -> Plan:
    return draw.plan(letter, included_calls=draw.chance.randint(0, 20), call_price=D("0.0137"), **facts)
