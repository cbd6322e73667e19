"""What a subscription bills and gives back, computed a second time: with decimals and plain lists, one step after the
other, and none of the product's code.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.subscriptions.simulation import calendar
from tests.subscriptions.simulation.account import Account, Declined
from tests.subscriptions.simulation.bills import ZERO, Charge, rounded
from tests.subscriptions.simulation.contracts import (
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
    Replace,
    Resume,
    Terms,
    Withdraw,
)
from tests.subscriptions.simulation.costs import USAGE, Item, items_of, off, price_in, same_interval, whole_price

ONE_DAY = timedelta(days=1)
DONE, DECLINED, REFUSED = "done", "declined", "refused"


class Refused(Exception):
    """It cannot be done."""


class Life:
    """One subscription. ``number`` is that of the paid period which runs, None in the trial, ``stretches`` its terms
    from days on, and ``due_at`` when it is over.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract, self.places = contract, contract.places
        self.outcomes: list[str] = []
        self.zone = self.customers_zone = contract.zone
        self.terms, self.account = contract.terms, Account(contract)
        self.scheduled: list[Change] = []
        self.promo_used = 0
        self.paused = self.period_paused = self.reduced = self.ending = self.is_over = False
        self.number: int | None = None
        begun = calendar.after_days(contract.begun_at, contract.trial_days, self.zone)
        self.anchor = calendar.anchored(begun, self.zone)
        self.first_day = self.last_day = self.anchor.day
        self.stretches: list[tuple[date, Terms]] = []
        self.starts_at = self.due_at = begun
        self.is_due = True

    def live(self, until: datetime) -> "Life":
        for act in self.contract.acts:
            if act.at <= until:
                self._pass(act.at)
                self.outcomes.append(self._outcome(act))
        self._pass(until)
        return self

    def _pass(self, now: datetime) -> None:
        while self.is_due and self.due_at <= now:
            if self.is_over:
                self._finish()
            elif self.number is None:
                self._begin()
            else:
                self._renew()

    def _begin(self) -> None:
        """The first paid period, in the moment in which it is signed or the trial ends."""
        has_trial = self.contract.trial_days > 0
        if self.ending or (has_trial and self.account.card is None and self.terms.plan.trial_end == "cancel"):
            self.is_over, self.is_due = True, False
            return
        if has_trial and self.account.card is None and self.terms.plan.trial_end == "pause":
            self.paused = True
        self._next_period(0, self.anchor.day, self.due_at, [])

    def _renew(self) -> None:
        ends_after = self.terms.plan.ends_after
        assert self.number is not None
        if self.ending or (ends_after is not None and self.number + 1 >= ends_after):
            self.is_over = True
            self._finish()
            return
        first_day = self.last_day + ONE_DAY
        arrears = [*self._in_arrears(self.last_day), *self._usage(self.last_day)]
        for change in self.scheduled:
            present, self.terms = self.terms, _changed(self.terms, change)
            if not same_interval(present.plan, self.terms.plan):
                self.anchor = replace(self.anchor, day=first_day, number=self.number + 1)
        self.scheduled = []
        self._next_period(self.number + 1, first_day, self.due_at, arrears)

    def _next_period(self, number: int, first_day: date, starts_at: datetime, arrears: Sequence[Item]) -> None:
        self.zone = self.customers_zone
        plan = self.terms.plan
        self.number, self.first_day, self.starts_at = number, first_day, starts_at
        self.due_at = self.anchor.begins(plan, number + 1, self.zone)
        self.last_day = self.anchor.first_day(plan, number + 1) - ONE_DAY
        self.period_paused, self.reduced = self.paused, False
        self.stretches = [(first_day, self.terms)]
        items: list[Item] = []
        if not plan.in_arrears and not self.paused:
            items = self._of_whole_period()
        self.account.settle(number, first_day, [*items, *arrears])

    def _of_whole_period(self) -> list[Item]:
        """In advance; the promo code counts the period if the plan has a price in it."""
        assert self.number is not None
        taken, counts = self._off(self.terms.plan, self.promo_used)
        self.promo_used += counts
        self.reduced = taken > 0
        days = self.first_day, self.last_day
        return items_of(self.terms, self.number, days, days, taken, self.places)

    def _finish(self) -> None:
        """What is left to bill of the days that were used."""
        last_day = min(self.last_day, max(self.cancelled_on or self.last_day, self.first_day))
        lines = [*self._in_arrears(last_day), *self._usage(last_day)]
        assert self.number is not None
        self.account.settle(self.number, last_day + ONE_DAY, lines, final=True)
        self.is_due = False

    cancelled_on: date | None = None

    def _in_arrears(self, last_used: date) -> list[Item]:
        """Of the period that is over, or over with this day. Its promo code counts once, whatever its terms were."""
        if self.period_paused:
            return []
        assert self.number is not None
        items: list[Item] = []
        counted = False
        for first, last, terms in self._segments(last_used):
            if terms.plan.in_arrears:
                taken, counts = self._off(terms.plan, self.promo_used - self.reduced)
                counted = counted or counts
                days = self.first_day, self.last_day
                items += items_of(terms, self.number, days, (first, last), taken, self.places)
        self.promo_used += counted and not self.reduced
        return items

    def _segments(self, last_used: date) -> list[tuple[date, date, Terms]]:
        """The days up to one, by the terms that they had."""
        ends = [first - ONE_DAY for first, _ in self.stretches[1:]] + [self.last_day]
        found = []
        for (first, terms), last in zip(self.stretches, ends, strict=True):
            if first <= last_used:
                found.append((first, min(last, last_used), terms))
        return found

    def _usage(self, last_used: date) -> list[Item]:
        """Each plan has its own share of what it includes, by its days of those that are billed together; whatever else
        of the terms changes.
        """
        runs: list[tuple[date, date, Plan]] = []
        for first, last, terms in self._segments(last_used):
            if runs and runs[-1][2].code == terms.plan.code:
                runs[-1] = runs[-1][0], last, terms.plan
            else:
                runs.append((first, last, terms.plan))
        metered = [run for run in runs if run[2].call_price]
        if self.period_paused or not metered:
            return []
        of_days = (metered[-1][1] - metered[0][0]).days + 1
        items = []
        there = ZoneInfo(self.zone)
        for first, last, plan in metered:
            made = sum(first <= call.astimezone(there).date() <= last for call in self.contract.calls)
            included = -(-plan.included_calls * ((last - first).days + 1) // of_days)
            amount = rounded(max(made - included, 0) * plan.call_price, self.places)
            if amount:
                items.append(Item((USAGE, plan.code), Decimal(1), ZERO, amount, amount, first, last))
        return items

    def _off(self, plan: Plan, used: int) -> tuple[Decimal, bool]:
        assert self.number is not None
        promo = self.contract.promo
        if promo is not None and promo.plan not in ("", plan.code):
            return ZERO, False
        return off(promo, price_in(plan, self.number, self.places), used, self.places)

    # What customers do.

    def _outcome(self, act: Act) -> str:
        before = dict(vars(self))
        try:
            self._do(act)
        except Refused:
            return REFUSED
        except Declined:
            vars(self).update(before)
            return DECLINED
        return DONE

    def _do(self, act: Act) -> None:
        if isinstance(act, Move):
            self.customers_zone = act.zone
            return
        if self.is_over:
            raise Refused
        match act:
            case Change():
                self._change(act)
            case Withdraw():
                if not self.scheduled:
                    raise Refused
                self.scheduled.pop()
            case Pause():
                if self.paused:
                    raise Refused
                self.paused = True
            case Resume():
                if not self.paused and not self.ending:
                    raise Refused
                self.paused = self.ending = False
            case Replace():
                self.account.replace(act.card)
            case Cancel():
                self._cancel(act)

    def _change(self, asked: Change) -> None:
        before = self.terms
        after, planned = _changed(before, asked), before
        for change in self.scheduled:
            planned = _changed(planned, change)
        if self.number is None:
            when = NOW
        else:
            costs = [whole_price(terms, self.number, self.places) for terms in (before, after)]
            when = asked.when or (PERIOD_END if costs[1] < costs[0] else NOW)
        if (after if when == NOW else _changed(planned, asked)) == (before if when == NOW else planned):
            raise Refused
        if when == PERIOD_END:
            self.scheduled.append(asked)
        elif self.number is None:
            self.terms = after
        elif same_interval(before.plan, after.plan):
            self._change_inside(after, self._day(asked.at))
        else:
            self._change_length(after, self._day(asked.at), asked.at)

    def _day(self, moment: datetime) -> date:
        return max(calendar.there(moment, self.zone).date(), self.first_day)

    def _change_inside(self, after: Terms, day: date) -> None:
        """From this day on: what costs the same is left alone, and of more at the same price the rest is charged."""
        items: list[Item] = []
        credited: list[tuple[Charge, Decimal]] = []
        if not self.period_paused and day <= self.last_day:
            earlier = [terms.plan for first, terms in self.stretches if first < day]
            if after.plan.call_price and any(plan.call_price for plan in earlier) and not earlier[-1].call_price:
                raise Refused
            present, kept = {item.part: item for item in self._of_rest(self.terms, day)}, []
            for item in self._of_rest(after, day):
                held = present.get(item.part)
                same_plan = item.part[0] == "plan" and held is not None and held.net == item.net
                more = item.part[0] != "plan" and held is not None and item.quantity >= held.quantity
                if held is not None and held.unit == item.unit and (same_plan or more):
                    kept.append(item.part)
                    if item.quantity > held.quantity:
                        items.append(self._more(item, item.quantity - held.quantity))
                else:
                    items.append(item)
            credited = self.account.unused(self.number, day, kept)
        assert self.number is not None
        self.account.settle(self.number, day, items, credited, may_decline=True)
        self.terms = after
        if any(item.gross > item.net for item in items) and not self.reduced:
            self.promo_used += self._is_owed_reduced(day)
            self.reduced = True
        if day <= self.last_day:
            self.stretches = [one for one in self.stretches if one[0] < day] + [(day, after)]

    def _of_rest(self, terms: Terms, day: date) -> list[Item]:
        """What is due in advance."""
        if terms.plan.in_arrears:
            return []
        assert self.number is not None
        days = self.first_day, self.last_day
        taken = self._off_rest(terms.plan, day)
        return items_of(terms, self.number, days, (day, self.last_day), taken, self.places)

    def _off_rest(self, plan: Plan, day: date) -> Decimal:
        """A period is one of the promo code's as a whole. What is billed inside of it makes it one only if the code
        lasts for ever, or will reduce what days before cost afterwards.
        """
        if self.reduced:
            return self._off(plan, self.promo_used - 1)[0]
        promo = self.contract.promo
        lasts = promo is not None and promo.periods is None
        return self._off(plan, self.promo_used)[0] if lasts or self._is_owed_reduced(day) else ZERO

    def _is_owed_reduced(self, day: date) -> bool:
        return any(
            first < day and terms.plan.in_arrears and self._off(terms.plan, self.promo_used)[1]
            for first, terms in self.stretches
        )

    def _more(self, item: Item, quantity: Decimal) -> Item:
        days, of_days = (item.last - item.first).days + 1, (self.last_day - self.first_day).days + 1
        amount = rounded(item.unit * quantity * days / of_days, self.places)
        return replace(item, quantity=quantity, gross=amount, net=amount)

    def _change_length(self, after: Terms, day: date, now: datetime) -> None:
        """Another period begins, or the present one, which has begun today, is another from its beginning on."""
        if any(terms.plan.call_price for terms in (after, *(terms for _, terms in self.stretches))):
            raise Refused
        assert self.number is not None
        in_place = day == self.first_day
        credited = self.account.unused(self.number, day)
        items: list[Item] = []
        if not in_place:
            items += self._in_arrears(min(self.last_day, day - ONE_DAY)) if day > self.first_day else []
            self.number += 1
            self.period_paused, self.reduced, self.starts_at = self.paused, False, now
        anchor = calendar.anchored(self.starts_at, self.zone, self.number)
        self.anchor = replace(anchor, day=day)
        self.first_day, self.terms, self.stretches = day, after, [(day, after)]
        self.due_at = self.anchor.begins(after.plan, self.number + 1, self.zone)
        self.last_day = self.anchor.first_day(after.plan, self.number + 1) - ONE_DAY
        if not after.plan.in_arrears and not self.paused and not self.period_paused:
            items += self._of_rest(after, day) if in_place else self._of_whole_period()
            self.reduced = self.reduced or any(item.gross > item.net for item in items if in_place)
        assert self.number is not None
        self.account.settle(self.number, day, items, credited, may_decline=True)

    def _cancel(self, act: Cancel) -> None:
        if act.how == PERIOD_END:
            self.ending = True
            return
        day = calendar.there(act.at, self.zone).date()
        self.is_over, self.scheduled = True, []
        if act.void:
            self.account.void(day)
        if self.number is None:
            self.is_due = False
            return
        if act.how != NOTHING:
            refunded_on = act.at.astimezone(UTC).date() if act.how == REFUND else None
            self.account.give_back(day, self.account.unused(self.number, day + ONE_DAY), refunded_on)
        used_later = any(terms.plan.in_arrears or terms.plan.call_price for _, terms in self.stretches)
        self.is_due = used_later and not self.period_paused
        self.cancelled_on = day
        self.due_at = calendar.instant(day + ONE_DAY, time.min, self.zone)


def _changed(terms: Terms, change: Change) -> Terms:
    return Terms(
        change.plan or terms.plan,
        terms.seats if change.seats is None else change.seats,
        terms.add_ons if change.add_ons is None else change.add_ons,
    )
