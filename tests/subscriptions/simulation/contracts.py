"""What customers agree to, and what they do with it later: plain data, for the product and for the naive computation.

Prices are in major units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

GOOD, FAILS, ASKS = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"
NOW, PERIOD_END = "now", "period_end"
CREDIT, REFUND, NOTHING = "credit", "refund", "nothing"


@dataclass(frozen=True)
class Promo:
    """``percent`` or ``amount`` off the plan's price, for so many periods; None: for ever. ``plan``: of this one alone,
    by its code.
    """

    percent: Decimal | None = None
    amount: Decimal | None = None
    periods: int | None = None
    plan: str = ""


@dataclass(frozen=True)
class Plan:
    """``phases``: (periods, percent of the price). ``add_ons``: the price of one of each. ``trial_end``: what becomes
    of a trial without a card.
    """

    code: str
    price: Decimal
    interval: str = "month"
    count: int = 1
    in_arrears: bool = False
    seat_price: Decimal | None = None
    included_seats: int = 0
    add_ons: Mapping[str, Decimal] = field(default_factory=dict)
    phases: Sequence[tuple[int, Decimal]] = ()
    ends_after: int | None = None
    included_calls: int = 0
    call_price: Decimal = Decimal(0)
    trial_end: str = "invoice"


@dataclass(frozen=True)
class Terms:
    """``add_ons``: how many of each."""

    plan: Plan
    seats: int = 1
    add_ons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """None: as it is; ``when`` None: whenever it is due by what it costs."""

    at: datetime
    plan: Plan | None = None
    seats: int | None = None
    add_ons: Mapping[str, int] | None = None
    when: str | None = None


@dataclass(frozen=True)
class Withdraw:
    """The change that was scheduled last will not be."""

    at: datetime


@dataclass(frozen=True)
class Pause:
    at: datetime


@dataclass(frozen=True)
class Resume:
    at: datetime


@dataclass(frozen=True)
class Move:
    """The customer is in another zone from now on."""

    at: datetime
    zone: str


@dataclass(frozen=True)
class Replace:
    """Another card is charged from now on."""

    at: datetime
    card: str


@dataclass(frozen=True)
class Cancel:
    """``how``: at the end of the period, or at once with what is not used as credit, refunded, or lost. ``void``: what
    is not paid need not be paid any more.
    """

    at: datetime
    how: str
    void: bool = False


Act = Change | Withdraw | Pause | Resume | Move | Replace | Cancel


@dataclass(frozen=True)
class Contract:
    """``card`` None: invoices are mailed. ``calls``: when a program called. ``credit`` is there from the beginning."""

    begun_at: datetime
    zone: str
    terms: Terms
    further_plans: Sequence[Plan] = ()
    places: int = 2
    trial_days: int = 0
    promo: Promo | None = None
    tax_rate: Decimal = Decimal(0)
    calls: Sequence[datetime] = ()
    credit: Decimal = Decimal(0)
    card: str | None = GOOD
    acts: Sequence[Act] = ()

    @property
    def ends_by_itself(self) -> bool:
        """Whether it ends with a period. Where a run comes so late that the last period and the end are done together,
        no card is charged for it any more, and it is asked for by mail.
        """
        plans = (self.terms.plan, *self.further_plans)
        return any(plan.ends_after for plan in plans) or any(
            isinstance(act, Cancel) and act.how == PERIOD_END for act in self.acts
        )
