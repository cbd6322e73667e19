"""What the usage of a past period would have cost on a version of a plan, beside what it cost on the plans of then.

From the events as they count now. The price that a plan has for each month or year is no part of either.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.functions import among
from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.money import Money
from billing_core.plans import queries as plans
from billing_core.plans.models import PlanVersion
from billing_core.plans.queries import OnPlan, Version
from billing_core.usage.charges import Charge, charges_of, charges_on, has_usage, rates_of
from billing_core.usage.overview import total

# Customers that are compared at a time, which bounds the memory.
_CUSTOMERS: Final = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """One customer's period: what is ``charged`` by the plans that it was on, and what would be ``instead``."""

    customer_id: int
    ref: str
    name: str
    charged: tuple[Charge, ...]
    instead: tuple[Charge, ...]

    @property
    def cost(self) -> Money | None:
        """By the plans of then; None where nothing has a price."""
        return total(charge.amount for charge in self.charged)

    @property
    def cost_instead(self) -> Money | None:
        return total(charge.amount for charge in self.instead)

    @property
    def difference(self) -> Money | None:
        """How much more it would cost; None where one of the two is not known, or in another currency."""
        cost, instead = self.cost, self.cost_instead
        if cost is None or instead is None or cost.currency != instead.currency:
            return None
        return instead - cost

    @property
    def questions(self) -> list[Charge]:
        """What was used and would have no price."""
        return [charge for charge in self.instead if charge.is_question]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a period comes to for all ``customers``. ``cost`` and ``cost_instead`` are sums over those of whom both are
    known; of ``unknown`` ones at least one is not. ``most_changed``: those for whom the difference is greatest.
    """

    customers: int
    unknown: int
    cost: Money
    cost_instead: Money
    most_changed: tuple[Comparison, ...]


def of_customers(
    session: Session, actor: Actor, version_id: int, customer_ids: Collection[int], period: Period
) -> list[Comparison]:
    """Of these customers, in the order of their ids, by as many statements for all as for two. NotFound where there is
    no such version.
    """
    actor.require(Permission.USAGE_READ)
    version = _version(session, actor, version_id)
    chosen = select(Customer.id, Customer.ref, Customer.name).where(among(Customer.id, customer_ids), visible_to(actor))
    customers = [(id_, ref, name) for id_, ref, name in session.execute(chosen.order_by(Customer.id))]
    return _compared(session, version, customers, period)


def each(session: Session, actor: Actor, version_id: int, period: Period) -> Iterator[Comparison]:
    """Of everybody who is billed in the version's currency and used something in the period, or was on a plan."""
    actor.require(Permission.USAGE_READ)
    version = _version(session, actor, version_id)
    listed = (
        select(Customer.id, Customer.ref, Customer.name)
        .where(visible_to(actor), Customer.currency == version.currency, has_usage(period))
        .order_by(Customer.id)
        .limit(_CUSTOMERS)
    )
    after = 0
    while customers := [(id_, ref, name) for id_, ref, name in session.execute(listed.where(Customer.id > after))]:
        yield from _compared(session, version, customers, period)
        after = customers[-1][0]


def outcome(session: Session, actor: Actor, version_id: int, period: Period, *, limit: int = 100) -> Outcome:
    """What ``each`` comes to together; it takes a look at everybody."""
    customers = unknown = 0
    cost = instead = Money(0, _version(session, actor, version_id).currency)
    most: list[Comparison] = []
    for one in each(session, actor, version_id, period):
        customers += 1
        if one.cost is None or one.cost_instead is None or one.difference is None:
            unknown += 1
            continue
        cost, instead = cost + one.cost, instead + one.cost_instead
        most.append(one)
        if len(most) >= 2 * limit:
            most = nlargest(limit, most, key=_change)
    return Outcome(customers, unknown, cost, instead, tuple(nlargest(limit, most, key=_change)))


def _change(one: Comparison) -> int:
    return abs(one.difference.minor) if one.difference else 0


def _version(session: Session, actor: Actor, version_id: int) -> Version:
    actor.require(Permission.PLAN_READ)
    row = session.execute(plans.versions().where(PlanVersion.id == version_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {version_id} of a plan")
    return Version(*row)


def _compared(
    session: Session, version: Version, customers: Sequence[tuple[int, str, str]], period: Period
) -> list[Comparison]:
    ids = [customer_id for customer_id, _, _ in customers]
    on_it = dict.fromkeys(ids, (OnPlan(period.start, period.end, version),))
    charged = charges_of(session, ids, period)
    instead = charges_on(session, on_it, rates_of(session, [version]), ids, period)
    return [
        Comparison(customer_id, ref, name, tuple(charged[customer_id]), tuple(instead[customer_id]))
        for customer_id, ref, name in customers
    ]
