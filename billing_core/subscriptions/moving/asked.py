"""Which subscriptions are to go on with which version of their plan, and from when: what is asked for, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database.functions import equals
from billing_core.dates import LATEST_DAY
from billing_core.errors import Invalid, NotFound
from billing_core.plans import offers
from billing_core.plans.models import Plan, PlanAmount, PlanVersion
from billing_core.plans.offers import Offer


@dataclass(frozen=True, slots=True)
class Asked:
    """``version``: the number of the one to go on with; ``older``: the numbers of those to leave, all older ones where
    it is empty. Periods count that begin on the local day ``first_day`` or later. ``tells``: customers get a mail.
    """

    plan_code: str
    version: int
    first_day: date
    older: tuple[int, ...] = ()
    tells: bool = True


@dataclass(frozen=True, slots=True)
class Course:
    """What was asked for, with the versions that it names: ``offers`` are what each of them costs, in each currency."""

    asked: Asked
    plan_id: int
    plan_name: str
    target: PlanVersion
    left: Sequence[PlanVersion]
    offers: Sequence[Offer]

    @property
    def left_ids(self) -> list[int]:
        return [one.id for one in self.left]

    @property
    def has_usage(self) -> bool:
        """Whether the version to go on with has a price for usage."""
        return any(one.has_usage for one in self.offers if one.version_id == self.target.id)


def course(session: Session, asked: Asked) -> Course:
    """NotFound where the plan has no such version; Invalid where its periods or its currency are others."""
    versions = {
        one.number: one
        for one in session.scalars(
            select(PlanVersion)
            .join(Plan, Plan.id == PlanVersion.plan_id)
            .where(equals(Plan.code, asked.plan_code))
            .order_by(PlanVersion.number)
        )
    }
    for number in (asked.version, *asked.older):
        if number not in versions:
            raise NotFound(f"The plan {asked.plan_code} has no version {number}")
    target = versions[asked.version]
    left = [one for number, one in versions.items() if number < asked.version]
    if asked.older:
        left = [versions[number] for number in sorted(set(asked.older))]
    if not left:
        raise _invalid("version", f"is the oldest of the plan: nobody is on one before version {target.number}")
    for one in left:
        _check(one, target)
    plan = session.get_one(Plan, target.plan_id)
    return Course(asked, plan.id, plan.name, target, left, _offers(session, [*left, target]))


def check_notice(asked: Asked, *, today: date, notice_days: int) -> None:
    """Invalid where customers would have less notice than so many days."""
    earliest = today + timedelta(days=notice_days)
    if not earliest <= asked.first_day <= LATEST_DAY:
        raise _invalid("first_day", f"must be {earliest} or later: {notice_days} days of notice are given")


def _check(old: PlanVersion, target: PlanVersion) -> None:
    if old.number >= target.number:
        raise _invalid("older", f"has version {old.number}, which is not older than version {target.number}")
    if (old.interval, old.interval_count) != (target.interval, target.interval_count):
        reason = f"has version {old.number}, whose periods have another length than those of version {target.number}"
        raise _invalid("older", reason)
    if old.currency != target.currency:
        reason = f"has version {old.number}, which is in {old.currency}, while version {target.number} is in "
        raise _invalid("older", reason + target.currency)


def _offers(session: Session, versions: Sequence[PlanVersion]) -> list[Offer]:
    """In every currency in which each can be had; usage has a price in the version's own alone."""
    found = []
    for one in versions:
        own = offers.offer(session, one.id, one.currency)
        found.append(own)
        if not own.has_usage:
            further = select(PlanAmount.currency).where(PlanAmount.plan_version_id == one.id)
            codes = session.scalars(further.order_by(PlanAmount.currency)).all()
            found += [offers.offer(session, one.id, code) for code in codes]
    return found


def facts(asked: Asked) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "plan": asked.plan_code,
        "version": asked.version,
        "older": list(asked.older),
        "first_day": asked.first_day.isoformat(),
        "tells": asked.tells,
    }


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
