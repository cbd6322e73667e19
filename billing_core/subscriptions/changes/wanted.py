"""Other terms that are asked for, and when they begin."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid
from billing_core.identity import Actor
from billing_core.plans import queries as plans
from billing_core.plans.models import BillingTiming
from billing_core.subscriptions import pricing, queries
from billing_core.subscriptions.models import SubscriptionChange
from billing_core.subscriptions.pricing import Terms


class When(enum.StrEnum):
    NOW = "now"
    PERIOD_END = "period_end"


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: as it is. ``add_ons``: how many of each in all. ``when`` None: more money for a whole period begins now,
    less at the end of the present one. A plan is changed to in its latest version; of the plan that it is on, a
    subscription keeps its version.
    """

    plan_code: str | None = None
    seats: int | None = None
    add_ons: Mapping[str, int] | None = None
    when: When | None = None


def facts(session: Session, actor: Actor, wanted: Wanted, present: Terms) -> dict[str, Any]:
    """What is asked for, as it is kept: the plan with its version of now. NotFound where there is no such plan."""
    found: dict[str, Any] = {}
    if wanted.plan_code is not None and wanted.plan_code != present.offer.code:
        version = plans.latest(session, actor, wanted.plan_code)
        if version.id != present.offer.version_id:
            found |= {"plan": version.code, "version_id": version.id}
    if wanted.seats is not None:
        found["seats"] = wanted.seats
    if wanted.add_ons is not None:
        found["add_ons"] = dict(wanted.add_ons)
    return found


def returning(
    asked: dict[str, Any], wanted: Wanted, present: Terms, waiting: Iterable[SubscriptionChange]
) -> dict[str, Any]:
    """What is asked for from the period's end on, with the present plan where it is named and the subscription is to go
    to another one by then: that would begin otherwise.
    """
    if wanted.plan_code == present.offer.code and any(
        one.move_id is None and is_to_other_plan(one.wanted) for one in waiting
    ):
        return {**asked, "plan": present.offer.code, "version_id": present.offer.version_id}
    return asked


def merged(session: Session, present: Terms, asked: Iterable[Mapping[str, Any]]) -> Terms:
    """The terms with what was asked for, one after the other; Invalid where they do not go together."""
    for one in asked:
        version_id = one.get("version_id", present.offer.version_id)
        seats, add_ons = one.get("seats", present.seats), one.get("add_ons", present.add_ons)
        present = queries.terms_of(session, version_id, present.offer.currency, seats, add_ons)
        pricing.check(present)
    return present


def beginning_on(first_day: date, waiting: Iterable[SubscriptionChange]) -> list[SubscriptionChange]:
    """Those that begin with the period of this first day, if it is the next one or a later one. Whoever goes to another
    plan is not moved to another version of the one before; whoever has come back to that by then is, after all else.
    """
    due = [one for one in waiting if one.not_before is None or one.not_before <= first_day]
    asked = [one for one in due if one.move_id is None]
    plans_asked = [one.wanted["plan"] for one in asked if is_to_other_plan(one.wanted)]
    if not plans_asked:
        return due
    return [*asked, *(one for one in due if one.move_id is not None and one.wanted["plan"] == plans_asked[-1])]


def is_to_other_plan(asked: Mapping[str, Any]) -> bool:
    """Of what a customer is asked for; a move stays on its plan."""
    return "version_id" in asked


def refuse_against_moves(session: Session, after: Terms, waiting: Iterable[SubscriptionChange]) -> None:
    """Invalid where the version to which the subscription moves later does not go with these terms."""
    for one in waiting:
        if one.move_id is None:
            continue
        try:
            merged(session, after, [one.wanted])
        except Invalid as refusal:
            told = f"The subscription moves to version {one.wanted['version']} of its plan, which does not go with it"
            raise Invalid(f"{told}: {refusal}. Withdraw that first", fields=refusal.fields) from None


def newest(session: Session, subscription_id: int) -> int | None:
    """The change that was asked for last, whatever became of it."""
    asked = select(func.max(SubscriptionChange.id)).where(SubscriptionChange.subscription_id == subscription_id)
    return session.scalar(asked)


def by_money(before: Terms, after: Terms, number: int) -> When:
    """More takes effect now, less when what was charged is used up."""
    less = pricing.whole_price(after, number) < pricing.whole_price(before, number)
    return When.PERIOD_END if less else When.NOW


def is_in_advance(terms: Terms) -> bool:
    return terms.offer.timing is BillingTiming.ADVANCE


def same_interval(one: Terms, other: Terms) -> bool:
    first, second = one.offer, other.offer
    return (first.interval, first.interval_count) == (second.interval, second.interval_count)
